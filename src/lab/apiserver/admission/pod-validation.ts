import { clone, isEqual, isObject, type JsonObject, listAt, objectAt, textAt } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { type Cause, duplicateValue, forbiddenField, invalidValue, notSupported, required } from '../status.ts'
import { checkText } from './names.ts'

const restartPolicies = ['Always', 'OnFailure', 'Never']
const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']
const protocols = ['SCTP', 'TCP', 'UDP']

/** Faults of a new pod. */
export function checkPod(pod: ApiObject): Cause[] {
  if (!isObject(pod.spec)) return [required('spec.containers')]
  const { spec } = pod
  const names = new Set<string>()
  return [
    ...(listAt(spec, 'containers').length === 0 ? [required('spec.containers')] : []),
    ...listAt(spec, 'containers').flatMap((one, index) =>
      checkContainer(one, `spec.containers[${index}]`, spec, names),
    ),
    ...listAt(spec, 'initContainers').flatMap((one, index) =>
      checkContainer(one, `spec.initContainers[${index}]`, spec, names),
    ),
    ...checkChoice('spec.restartPolicy', spec.restartPolicy, restartPolicies),
    ...checkChoice('spec.dnsPolicy', spec.dnsPolicy, dnsPolicies),
    ...checkVolumes(spec),
    ...(Number(spec.terminationGracePeriodSeconds) < 0
      ? [
          invalidValue(
            'spec.terminationGracePeriodSeconds',
            spec.terminationGracePeriodSeconds,
            'must be greater than or equal to 0',
          ),
        ]
      : []),
  ]
}

function checkContainer(container: unknown, field: string, spec: JsonObject, names: Set<string>): Cause[] {
  const name = textAt(container, 'name') ?? ''
  const isTaken = names.has(name)
  names.add(name)
  return [
    ...(name === '' ? [required(`${field}.name`)] : checkText(`${field}.name`, name, 'label')),
    ...(isTaken && name !== '' ? [duplicateValue(`${field}.name`, name)] : []),
    ...((textAt(container, 'image') ?? '') === '' ? [required(`${field}.image`)] : []),
    ...checkChoice(`${field}.imagePullPolicy`, textAt(container, 'imagePullPolicy'), [
      'Always',
      'IfNotPresent',
      'Never',
    ]),
    ...listAt(container, 'ports').flatMap((port, index) => checkPort(port, `${field}.ports[${index}]`)),
    ...listAt(container, 'env').flatMap((one, index) =>
      (textAt(one, 'name') ?? '') === '' ? [required(`${field}.env[${index}].name`)] : [],
    ),
    ...listAt(container, 'volumeMounts').flatMap((one, index) =>
      checkMount(one, `${field}.volumeMounts[${index}]`, spec),
    ),
  ]
}

function checkPort(port: unknown, field: string): Cause[] {
  const { containerPort, hostPort, protocol } = isObject(port) ? port : {}
  return [
    ...(containerPort === undefined
      ? [required(`${field}.containerPort`)]
      : checkPortNumber(`${field}.containerPort`, containerPort)),
    ...(hostPort === undefined ? [] : checkPortNumber(`${field}.hostPort`, hostPort)),
    ...checkChoice(`${field}.protocol`, protocol, protocols),
  ]
}

/** Faults of a port number. */
export function checkPortNumber(field: string, port: unknown): Cause[] {
  const isPort = Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535
  return isPort ? [] : [invalidValue(field, port, 'must be between 1 and 65535, inclusive')]
}

function checkMount(mount: unknown, field: string, spec: JsonObject): Cause[] {
  const name = textAt(mount, 'name') ?? ''
  const isKnown = listAt(spec, 'volumes').some((volume) => textAt(volume, 'name') === name)
  return [
    ...(isKnown ? [] : [{ reason: 'FieldValueNotFound', message: `Not found: "${name}"`, field: `${field}.name` }]),
    ...((textAt(mount, 'mountPath') ?? '') === '' ? [required(`${field}.mountPath`)] : []),
  ]
}

function checkVolumes(spec: JsonObject): Cause[] {
  const names = new Set<string>()
  return listAt(spec, 'volumes').flatMap((volume, index) => {
    const field = `spec.volumes[${index}].name`
    const name = textAt(volume, 'name') ?? ''
    if (names.has(name)) return [duplicateValue(field, name)]
    names.add(name)
    return name === '' ? [required(field)] : checkText(field, name, 'label')
  })
}

function checkChoice(field: string, value: unknown, allowed: readonly string[]): Cause[] {
  return value === undefined || allowed.includes(String(value)) ? [] : [notSupported(field, value, allowed)]
}

/** Faults of a changed pod: nearly everything stays as it was created. */
export function checkPodUpdate(pod: ApiObject, before: ApiObject): Cause[] {
  if (isEqual(fixedPart(pod), fixedPart(before))) return []
  return [
    forbiddenField(
      'spec',
      'pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, `spec.activeDeadlineSeconds` and `spec.tolerations` (only additions)',
    ),
  ]
}

function fixedPart(pod: ApiObject): JsonObject {
  const spec = clone(objectAt(pod, 'spec'))
  for (const name of ['activeDeadlineSeconds', 'tolerations', 'ephemeralContainers', 'schedulingGates'])
    delete spec[name]
  for (const list of ['containers', 'initContainers']) {
    for (const container of listAt(spec, list).filter(isObject)) delete container.image
  }
  return spec
}
