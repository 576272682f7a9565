import { isObject, type JsonObject, listAt } from '../json.ts'
import type { Rules } from './rules.ts'
import { allocateAddress, allocateNodePorts, hasNodePorts, keepAllocations } from './service-allocation.ts'
import { checkService } from './service-validation.ts'

export const serviceRules: Rules = {
  nameFormat: 'service',
  setDefaults(object) {
    object.spec = isObject(object.spec) ? object.spec : {}
    setSpecDefaults(object.spec as JsonObject)
  },
  prepareCreate(object, context) {
    allocateAddress(object, context)
    allocateNodePorts(object, context)
    object.status = { loadBalancer: {} }
  },
  prepareUpdate(object, before, context) {
    keepAllocations(object, before)
    allocateAddress(object, context)
    allocateNodePorts(object, context)
  },
  validate: checkService,
}

function setSpecDefaults(spec: JsonObject): void {
  spec.type ??= 'ClusterIP'
  spec.sessionAffinity ??= 'None'
  if (spec.sessionAffinity === 'ClientIP') spec.sessionAffinityConfig ??= { clientIP: { timeoutSeconds: 10_800 } }
  if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster'
  if (hasNodePorts({ spec })) spec.externalTrafficPolicy ??= 'Cluster'
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true
  for (const port of listAt(spec, 'ports').filter(isObject)) {
    port.protocol ??= 'TCP'
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port
  }
}
