import { closest } from '../../base/closest.ts'
import { ConfigError, TwinlaneError } from '../../base/errors.ts'
import { parseConfigList } from '../../cni/config.ts'
import type { Position } from '../../kube/resources/commented-json.ts'
import { drivers, findDriver } from '../../networks/registry.ts'
import { configTextOf, findConfigJson, findConfigList } from '../definition-config.ts'
import { describeRefusal } from '../describe-refusal.ts'
import type { Rule } from '../rule.ts'
import { checkRouting } from '../select-as-agent.ts'
import type { Subject } from '../subject.ts'
import { configField } from './config-syntax.ts'

/** Plugins of containernetworking/plugins, and those that clusters with several networks commonly add. */
const wellKnownTypes = [
  ...['bandwidth', 'bridge', 'dhcp', 'dummy', 'firewall', 'host-device', 'host-local', 'ipvlan', 'loopback', 'macvlan'],
  ...['portmap', 'ptp', 'sbr', 'static', 'tap', 'tuning', 'vlan', 'vrf'],
  ...['cilium-cni', 'flannel', 'ib-sriov', 'ipoib', 'ovs', 'sriov', 'whereabouts'],
]

/** There is no spec.config: only the files of a node can tell what the network is. */
export const configMissing: Rule = (subject) =>
  configTextOf(subject) !== undefined
    ? []
    : [
        {
          rule: 'config-missing',
          severity: 'warning',
          message: `has no spec.config: every node needs a file with a network named "${subject.object.metadata.name}"`,
          fix: 'Write the CNI configuration into spec.config, unless the nodes have such a file.',
          field: ['spec'],
        },
      ]

/** A CNI type that neither we nor a plugin of common knowledge serves. */
export const configType: Rule = (subject) => {
  const served = [...drivers.flatMap((driver) => driver.types), ...wellKnownTypes]
  return (findConfigList(subject)?.plugins ?? []).flatMap((plugin, index) => {
    if (served.includes(plugin.type)) return []
    const near = closest(plugin.type, served)
    return {
      rule: 'unknown-type',
      severity: 'warning' as const,
      message: `CNI type "${plugin.type}" is no network of ours and no plugin of common knowledge`,
      fix: near === undefined ? 'Install the plugin on every node.' : `Did you mean "${near}"?`,
      field: configField,
      position: positionOfField(subject, `plugins[${index}].type`),
    }
  })
}

/** The agent's own judgement on the configuration. */
export const configRefused: Rule = (subject) => {
  const text = configTextOf(subject)
  if (text === undefined) return []
  try {
    const list = parseConfigList(text, { defaultName: subject.object.metadata.name ?? '' })
    findDriver(list.plugins[0]?.type ?? '').parseConfig(list)
    checkRouting([{ ifName: 'net1', networkName: list.name, isDefault: false, configList: list }])
    return []
  } catch (error) {
    if (!(error instanceof TwinlaneError)) throw error
    const position = error instanceof ConfigError ? positionOfField(subject, error.field) : undefined
    const { fix } = error
    return [{ rule: 'config', severity: 'error', message: describeRefusal(error), fix, field: configField, position }]
  }
}

/** Where `plugins[0].mtu` stands; a configuration that is no list has it at the top. */
export function positionOfField(subject: Subject, field: string): Position | undefined {
  const json = findConfigJson(subject)
  return json?.positionOf(`.${field}`) ?? json?.positionOf(field.replace(/^plugins\[0\]/, '')) ?? json?.positionOf('')
}
