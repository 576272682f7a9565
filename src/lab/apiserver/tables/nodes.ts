import { isObject, listAt, textAt } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { ageColumn, ageOf, nameColumn, type TableColumns } from './table.ts'

export const nodeColumns: TableColumns = {
  columns: [
    nameColumn,
    { name: 'Status', type: 'string', description: 'Whether the node is ready for pods.' },
    { name: 'Roles', type: 'string', description: 'Roles of the node, from its labels.' },
    ageColumn,
    { name: 'Version', type: 'string', description: 'Version of the kubelet.' },
    { name: 'Internal-IP', type: 'string', priority: 1, description: 'Address inside the cluster.' },
    { name: 'External-IP', type: 'string', priority: 1, description: 'Address from outside.' },
    { name: 'OS-Image', type: 'string', priority: 1, description: 'Operating system.' },
    { name: 'Kernel-Version', type: 'string', priority: 1, description: 'Kernel.' },
    { name: 'Container-Runtime', type: 'string', priority: 1, description: 'Container runtime.' },
  ],
  cells: (node) => [
    node.metadata.name,
    statusText(node),
    rolesText(node),
    ageOf(node),
    info(node, 'kubeletVersion', ''),
    addressText(node, 'InternalIP'),
    addressText(node, 'ExternalIP'),
    info(node, 'osImage', '<unknown>'),
    info(node, 'kernelVersion', '<unknown>'),
    info(node, 'containerRuntimeVersion', '<unknown>'),
  ],
}

function statusText(node: ApiObject): string {
  const ready = listAt(node, 'status', 'conditions').find((one) => textAt(one, 'type') === 'Ready')
  const state = ready === undefined ? 'Unknown' : textAt(ready, 'status') === 'True' ? 'Ready' : 'NotReady'
  const isCordoned = isObject(node.spec) && node.spec.unschedulable === true
  return isCordoned ? `${state},SchedulingDisabled` : state
}

const rolePrefix = 'node-role.kubernetes.io/'

function rolesText({ metadata }: ApiObject): string {
  const roles = Object.entries(metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(rolePrefix)) return [key.slice(rolePrefix.length)]
    return key === 'kubernetes.io/role' && value !== '' ? [value] : []
  })
  return roles.length === 0 ? '<none>' : roles.sort().join(',')
}

function addressText(node: ApiObject, type: string): string {
  const found = listAt(node, 'status', 'addresses').find((one) => textAt(one, 'type') === type)
  return textAt(found, 'address') ?? '<none>'
}

function info(node: ApiObject, field: string, otherwise: string): string {
  return textAt(node, 'status', 'nodeInfo', field) || otherwise
}
