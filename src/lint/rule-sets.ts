import type { RuleSet } from './rule.ts'
import { configKeys } from './rules/config-keys.ts'
import { configPlace } from './rules/config-place.ts'
import { configComments, configSyntax } from './rules/config-syntax.ts'
import { configMissing, configRefused, configType } from './rules/config-values.ts'
import { podAddresses } from './rules/pod-addresses.ts'
import { podKeys } from './rules/pod-keys.ts'
import { podNetworks } from './rules/pod-networks.ts'
import { podRefused } from './rules/pod-refused.ts'
import { podComments, podSyntax } from './rules/pod-syntax.ts'
import { sharedName } from './rules/shared-name.ts'
import { podKinds, podOf, wholeObject } from './subject.ts'

/** Every rule there is, by the kind of object. */
export const ruleSets: readonly RuleSet[] = [
  {
    kinds: ['NetworkAttachmentDefinition'],
    subjectOf: wholeObject,
    rules: [configMissing, configSyntax, configComments, configType, configKeys, configPlace, sharedName],
    lastRule: configRefused,
  },
  {
    kinds: podKinds,
    subjectOf: podOf,
    rules: [podSyntax, podComments, podKeys, podNetworks, podAddresses],
    lastRule: podRefused,
  },
]
