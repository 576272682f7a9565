import { at, isObject, type JsonObject, listAt, objectAt, textAt } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { ageColumn, ageOf, nameColumn, sinceText, type TableColumns } from './table.ts'

export const podColumns: TableColumns = {
  columns: [
    nameColumn,
    { name: 'Ready', type: 'string', description: 'Containers of the pod that are ready, of all its containers.' },
    { name: 'Status', type: 'string', description: 'What the pod is doing, or why it is not running.' },
    { name: 'Restarts', type: 'string', description: 'How often its containers have been restarted.' },
    ageColumn,
    { name: 'IP', type: 'string', priority: 1, description: 'Address of the pod.' },
    { name: 'Node', type: 'string', priority: 1, description: 'Node that runs the pod.' },
    { name: 'Nominated Node', type: 'string', priority: 1, description: 'Node that is kept for the pod.' },
    { name: 'Readiness Gates', type: 'string', priority: 1, description: 'Conditions that the pod waits for.' },
  ],
  cells: (pod) => [
    pod.metadata.name,
    readyText(pod),
    podStatusText(pod),
    restartsText(pod),
    ageOf(pod),
    textAt(pod, 'status', 'podIP') ?? textAt(listAt(pod, 'status', 'podIPs')[0], 'ip') ?? none,
    textAt(pod, 'spec', 'nodeName') || none,
    textAt(pod, 'status', 'nominatedNodeName') || none,
    gatesText(pod),
  ],
}

const none = '<none>'

/** The word that stands under STATUS: the phase, or the most telling reason below it. */
export function podStatusText(pod: ApiObject): string {
  const base = textAt(pod, 'status', 'reason') || textAt(pod, 'status', 'phase') || 'Unknown'
  const gated = findCondition(pod, 'PodScheduled')?.reason === 'SchedulingGated' ? 'SchedulingGated' : base
  const init = initText(pod)
  const text = init ?? containersText(pod, gated)
  if (pod.metadata.deletionTimestamp === undefined) return text
  return textAt(pod, 'status', 'reason') === 'NodeLost' ? 'Unknown' : 'Terminating'
}

/** `Init:1/2`, `Init:Error` … while an init container is the one to look at. */
function initText(pod: ApiObject): string | undefined {
  const statuses = listAt(pod, 'status', 'initContainerStatuses').filter(isObject)
  const total = listAt(pod, 'spec', 'initContainers').length
  for (const [index, status] of statuses.entries()) {
    const { terminated, waiting } = objectAt(status, 'state')
    if (isObject(terminated) && terminated.exitCode === 0) continue
    if (isSidecar(pod, status) && status.started === true) continue
    if (isObject(terminated)) return `Init:${endText(terminated)}`
    const reason = textAt(waiting, 'reason') ?? ''
    return reason !== '' && reason !== 'PodInitializing' ? `Init:${reason}` : `Init:${index}/${total}`
  }
  return undefined
}

function containersText(pod: ApiObject, base: string): string {
  const statuses = listAt(pod, 'status', 'containerStatuses').filter(isObject).reverse()
  let text = base
  for (const status of statuses) text = containerText(status) ?? text
  const runs = statuses.some((status) => status.ready === true && isObject(objectAt(status, 'state').running))
  if (text !== 'Completed' || !runs) return text
  return findCondition(pod, 'Ready')?.status === 'True' ? 'Running' : 'NotReady'
}

function containerText(status: JsonObject): string | undefined {
  const { waiting, terminated } = objectAt(status, 'state')
  const reason = textAt(waiting, 'reason')
  if (reason !== undefined && reason !== '') return reason
  return isObject(terminated) ? endText(terminated) : undefined
}

function endText(terminated: JsonObject): string {
  const reason = textAt(terminated, 'reason')
  if (reason !== undefined && reason !== '') return reason
  const signal = Number(terminated.signal ?? 0)
  return signal !== 0 ? `Signal:${signal}` : `ExitCode:${String(terminated.exitCode)}`
}

/** An init container that restarts always is a sidecar: it runs beside the others and counts with them. */
function isSidecar(pod: ApiObject, status: JsonObject): boolean {
  return listAt(pod, 'spec', 'initContainers').some(
    (one) => textAt(one, 'name') === status.name && textAt(one, 'restartPolicy') === 'Always',
  )
}

function countedStatuses(pod: ApiObject): JsonObject[] {
  const sidecars = listAt(pod, 'status', 'initContainerStatuses')
    .filter(isObject)
    .filter((one) => isSidecar(pod, one))
  return [...sidecars, ...listAt(pod, 'status', 'containerStatuses').filter(isObject)]
}

function readyText(pod: ApiObject): string {
  const sidecars = listAt(pod, 'spec', 'initContainers').filter((one) => textAt(one, 'restartPolicy') === 'Always')
  const total = listAt(pod, 'spec', 'containers').length + sidecars.length
  const ready = countedStatuses(pod).filter((one) => one.ready === true && isObject(objectAt(one, 'state').running))
  return `${ready.length}/${total}`
}

/** `3 (20s ago)`: how often, and when last. */
function restartsText(pod: ApiObject): string {
  const isStarting = initText(pod) !== undefined
  const statuses = isStarting ? listAt(pod, 'status', 'initContainerStatuses').filter(isObject) : countedStatuses(pod)
  const count = statuses.reduce((sum, one) => sum + Number(one.restartCount ?? 0), 0)
  const ends = statuses.map((one) => Date.parse(String(at(one, 'lastState', 'terminated', 'finishedAt') ?? '')))
  const last = Math.max(...ends.filter((time) => !Number.isNaN(time)))
  if (count === 0 || !Number.isFinite(last)) return String(count)
  return `${count} (${sinceText(new Date(last).toISOString())} ago)`
}

function gatesText(pod: ApiObject): string {
  const gates = listAt(pod, 'spec', 'readinessGates')
  if (gates.length === 0) return none
  const met = gates.filter((gate) => findCondition(pod, textAt(gate, 'conditionType') ?? '')?.status === 'True')
  return `${met.length}/${gates.length}`
}

function findCondition(pod: ApiObject, type: string): JsonObject | undefined {
  return listAt(pod, 'status', 'conditions')
    .filter(isObject)
    .find((condition) => condition.type === type)
}
