import { textAt } from '../json.ts'
import { setPodDefaults } from './pod-defaults.ts'
import { qosClassOf } from './pod-qos.ts'
import { checkPod, checkPodUpdate } from './pod-validation.ts'
import type { Rules } from './rules.ts'

export const podRules: Rules = {
  setDefaults: setPodDefaults,
  prepareCreate(object) {
    object.status = { phase: 'Pending', qosClass: qosClassOf(object) }
  },
  validate: (object, before) => (before === undefined ? checkPod(object) : checkPodUpdate(object, before)),
  /** A pod without a node, or one that has ended, has nothing left to shut down. */
  graceSeconds(object, asked) {
    const isIdle = (textAt(object, 'spec', 'nodeName') ?? '') === ''
    const hasEnded = ['Succeeded', 'Failed'].includes(textAt(object, 'status', 'phase') ?? '')
    if (isIdle || hasEnded) return 0
    const own = (object.spec as { terminationGracePeriodSeconds?: number }).terminationGracePeriodSeconds ?? 30
    return Math.max(0, asked ?? own)
  },
}
