import { describe, expect, test } from 'vitest'
import { createFakeNetwork } from '../../test/contract/fake-driver.ts'
import { readConfigList } from '../cni/config.ts'
import type { NetworkAttachmentDefinition } from '../kube/resources/net-attach-def.ts'
import { parseMetaConfig } from './net-conf.ts'
import { NetworkSelectionError } from './select/error.ts'
import { readPodNetworks } from './select/pod-networks.ts'
import type { SelectOptions } from './select/types.ts'
import { selectNetworks } from './select-networks.ts'

const routed = createFakeNetwork({ type: 'calico', runtimeConfig: [] }).driver
const ovn = createFakeNetwork({ type: 'ovn-k8s-cni-overlay', runtimeConfig: ['ips', 'mac'] }).driver
const other = { ...createFakeNetwork({ type: 'delegate', runtimeConfig: [] }).driver, types: [] }

const netConf = {
  cniVersion: '1.0.0',
  name: 'multus-cni-network',
  type: 'twinlane',
  delegates: [{ cniVersion: '1.0.0', name: 'k8s-pod-network', type: 'calico', ipam: { type: 'calico-ipam' } }],
}

const definitions: Record<string, object | string | undefined> = {
  'default/yusur-ovn': { cniVersion: '0.4.0', name: 'ovn-kubernetes', type: 'ovn-k8s-cni-overlay', ipam: {} },
  'default/br': { cniVersion: '1.0.0', type: 'bridge', capabilities: { mac: true } },
  'default/list': { cniVersion: '1.0.0', name: 'x', plugins: [{ type: 'bridge' }, { type: 'nowhere' }] },
  'default/unknown': { cniVersion: '1.0.0', type: 'nonsense' },
  'default/broken': '{"type"',
  'default/empty': '',
  'default/on-node': '',
  'other/net': { cniVersion: '1.0.0', type: 'ovn-k8s-cni-overlay' },
}

const onNode = readConfigList({ cniVersion: '1.0.0', name: 'on-node', type: 'bridge' })

function definition(namespace: string, name: string): NetworkAttachmentDefinition | undefined {
  const config = definitions[`${namespace}/${name}`]
  if (config === undefined) return undefined
  return {
    metadata: { namespace, name },
    spec: { config: typeof config === 'string' ? config : JSON.stringify(config) },
  }
}

function select(annotation: string | undefined, changes: Partial<SelectOptions> & { netConf?: object } = {}) {
  const conf = parseMetaConfig({ ...netConf, ...changes.netConf })
  const annotations = annotation === undefined ? {} : { 'k8s.v1.cni.cncf.io/networks': annotation }
  return selectNetworks({
    conf,
    base: 'delegates' in conf.networks ? conf.networks.delegates.map((list) => ({ networkName: list.name, list })) : [],
    findFile: (name) => (name === 'on-node' ? onNode : undefined),
    networks: readPodNetworks({ metadata: { name: 'p', namespace: 'default', annotations } }, conf, 'eth0'),
    podNamespace: 'default',
    defaultInterface: 'eth0',
    runtimeConfig: {},
    fileProblems: [],
    devices: new Map(),
    deviceInfoFile: ({ networkName, ifName }) => `/devinfo/${networkName}_${ifName}`,
    findDefinition: definition,
    findDriver: (type) => [routed, ovn].find((driver) => driver.types.includes(type)) ?? other,
    isInstalled: (type) => type === 'bridge',
    folders: ['/opt/cni/bin'],
    ...changes,
  })
}

function failureOf(annotation: string, changes: Parameters<typeof select>[1] = {}): NetworkSelectionError {
  try {
    select(annotation, changes)
  } catch (error) {
    expect(error).toBeInstanceOf(NetworkSelectionError)
    return error as NetworkSelectionError
  }
  throw new Error('was accepted')
}

describe('selection', () => {
  test("the article's pod gets the default network and its OVN network, in that order", () => {
    const [first, second, ...rest] = select('[{"name":"yusur-ovn","interface":"eth1","default-route":["10.144.0.1"]}]')
    expect(rest).toEqual([])
    expect(first).toMatchObject({ ifName: 'eth0', networkName: 'k8s-pod-network', driver: routed, isDefault: true })
    expect(second).toMatchObject({
      ifName: 'eth1',
      networkName: 'default/yusur-ovn',
      driver: ovn,
      isDefault: false,
      nad: { namespace: 'default', name: 'yusur-ovn' },
      requested: { defaultRoute: ['10.144.0.1'] },
    })
    expect(second?.configList.name).toBe('ovn-kubernetes')
  })

  test('a pod without annotation gets the default network alone', () => {
    expect(select(undefined).map((item) => item.networkName)).toEqual(['k8s-pod-network'])
  })

  test('interfaces without a name are called after their place in the whole list', () => {
    const names = select('yusur-ovn,br@mine,br').map((item) => item.ifName)
    expect(names).toEqual(['eth0', 'net1', 'mine', 'net3'])
  })

  test('a name that collides with a given one is refused', () => {
    expect(failureOf('br,br@net1').message).toContain('would both be the interface "net1"')
  })

  test('a configuration without a name is called after its definition', () => {
    expect(select('br')[1]?.configList).toMatchObject({ name: 'br', plugins: [{ type: 'bridge', name: 'br' }] })
  })

  test('the default network can be replaced by the annotation of Multus', () => {
    const conf = parseMetaConfig(netConf)
    const metadata = {
      name: 'p',
      namespace: 'default',
      annotations: { 'v1.multus-cni.io/default-network': 'default/br' },
    }
    const networks = readPodNetworks({ metadata }, conf, 'eth0')
    expect(select(undefined, { networks })[0]).toMatchObject({ ifName: 'eth0', networkName: 'default/br' })
    expect(() =>
      readPodNetworks(
        { metadata: { ...metadata, annotations: { 'v1.multus-cni.io/default-network': 'a,b' } } },
        conf,
        'eth0',
      ),
    ).toThrow('names 2 networks')
  })

  test("the runtime's own runtimeConfig reaches the default network only", () => {
    const delegates = [
      { cniVersion: '1.0.0', name: 'd', type: 'bridge', capabilities: { portMappings: true, mac: true } },
    ]
    const runtimeConfig = { portMappings: [{ hostPort: 80 }], bandwidth: {} }
    const all = select('br', { netConf: { delegates }, runtimeConfig })
    expect(all[0]?.configList.plugins[0]?.runtimeConfig).toEqual({ portMappings: [{ hostPort: 80 }] })
    expect(all[1]?.configList.plugins[0]?.runtimeConfig).toBeUndefined()
  })

  test("the runtime's own runtimeConfig goes to what replaces the default network, and not to further networks of the file", () => {
    const capabilities = { portMappings: true }
    const delegates = ['a', 'b'].map((name) => ({ cniVersion: '1.0.0', name, type: 'bridge', capabilities }))
    const options = { netConf: { delegates }, runtimeConfig: { portMappings: [{ hostPort: 80 }] } }
    const told = (all: ReturnType<typeof select>) => all.map((item) => item.configList.plugins[0]?.runtimeConfig)
    expect(told(select(undefined, options))).toEqual([options.runtimeConfig, undefined])
    const networks = { defaultOverride: { namespace: 'default', name: 'ports' }, selections: [], warnings: [] }
    const findDefinition = (namespace: string, name: string): NetworkAttachmentDefinition => ({
      metadata: { namespace, name },
      spec: { config: JSON.stringify({ cniVersion: '1.0.0', type: 'bridge', capabilities }) },
    })
    expect(told(select(undefined, { ...options, networks, findDefinition }))).toEqual([
      options.runtimeConfig,
      undefined,
    ])
  })

  test('what the annotation asks reaches the plugins that declare it, CNI_ARGS and cni-args', () => {
    const [, second] = select('[{"name":"br","mac":"02:00:00:00:00:09","cni-args":{"a":1},"deviceID":"0000:01:00.0"}]')
    expect(second?.configList.plugins[0]).toMatchObject({
      runtimeConfig: { mac: '02:00:00:00:00:09' },
      args: { cni: { a: 1 } },
      deviceID: '0000:01:00.0',
    })
    expect(second?.args).toEqual({ MAC: '02:00:00:00:00:09' })
    expect(second?.requested.mac).toBe('02:00:00:00:00:09')
  })
})

describe('a request that cannot be met names the thing and the fix:', () => {
  test.each([
    ['nothing', 'NoNetworkFound', 'there is no NetworkAttachmentDefinition default/nothing'],
    ['unknown', 'UnknownNetworkType', 'NetworkAttachmentDefinition default/unknown has the CNI type "nonsense"'],
    ['unknown', 'UnknownNetworkType', 'no such plugin in /opt/cni/bin'],
    ['list', 'UnknownNetworkType', 'has the CNI type "nowhere"'],
    ['broken', 'InvalidNetwork', 'spec.config of NetworkAttachmentDefinition default/broken'],
    ['empty', 'InvalidNetwork', 'has no spec.config'],
  ])('%s gives %s', (annotation, reason, message) => {
    const error = failureOf(annotation)
    expect(error.reason).toBe(reason)
    expect(error.message).toContain(message)
    expect(error.fix).toBeTruthy()
  })

  test('a request that no plugin declares fails and is not dropped', () => {
    const error = failureOf('[{"name":"br","ips":["10.0.0.9/24"]}]')
    expect(error.code).toBe(2)
    expect(error.message).toContain('asks network default/br for "ips"')
    expect(select('[{"name":"yusur-ovn","ips":["10.144.0.9"]}]')).toHaveLength(2)
  })

  test('another namespace is refused when namespaces are isolated', () => {
    expect(select('other/net')).toHaveLength(2)
    const error = failureOf('other/net', { netConf: { namespaceIsolation: true } })
    expect(error.message).toContain('may not use NetworkAttachmentDefinition other/net')
    expect(
      select('other/net', { netConf: { namespaceIsolation: true, globalNamespaces: 'default, other' } }),
    ).toHaveLength(2)
  })
})

test('with isolated namespaces a pod may replace its default network from multusNamespace, not from everywhere', () => {
  const isolated = { namespaceIsolation: true, multusNamespace: 'other' }
  const replace = (namespace: string, name: string) => {
    const networks = { defaultOverride: { namespace, name }, selections: [], warnings: [] }
    return select(undefined, { networks, netConf: isolated })
  }
  expect(replace('other', 'net')[0]?.networkName).toBe('other/net')
  expect(() => select(undefined, { netConf: { ...isolated, multusNamespace: 'x' } })).not.toThrow()
  expect(failureOf('other/net', { netConf: isolated }).reason).toBe('NamespaceIsolation')
  expect(() => replace('third', 'net')).toThrow('may not use NetworkAttachmentDefinition third/net')
})

test('a configuration without delegates is refused', () => {
  expect(() => parseMetaConfig({ cniVersion: '1.0.0', name: 'n', type: 'twinlane' })).toThrow(
    'neither delegates nor clusterNetwork',
  )
  expect(() => parseMetaConfig({ ...netConf, delegates: [{ name: 'x' }] })).toThrow('delegates[0]')
})

test('a network that is not found on the node is refused with the files there that cannot be read', () => {
  const error = failureOf('empty', { fileProblems: ['/etc/cni/multus/net.d/a.conf: is not JSON'] })
  expect(error.message).toContain('has no network "empty" (/etc/cni/multus/net.d/a.conf: is not JSON)')
})

test('a definition without a configuration means the one of its name on the node', () => {
  expect(select('on-node')[1]).toMatchObject({ networkName: 'default/on-node', configList: { name: 'on-node' } })
})

describe('the configuration of the meta-plugin', () => {
  const multus = { cniVersion: '0.3.1', name: 'multus-cni-network', type: 'multus' }

  test('names networks, and then delegates do not count', () => {
    const conf = parseMetaConfig({ ...netConf, ...multus, clusterNetwork: 'calico', defaultNetworks: ['storage'] })
    expect(conf.networks).toEqual({ clusterNetwork: 'calico', defaultNetworks: ['storage'] })
  })

  test("has Multus' defaults", () => {
    expect(parseMetaConfig({ ...multus, clusterNetwork: 'x' })).toMatchObject({
      systemNamespaces: ['kube-system'],
      globalNamespaces: ['default'],
      multusNamespace: 'kube-system',
      namespaceIsolation: false,
      confDir: '/etc/cni/multus/net.d',
    })
  })

  test.each([
    [{ clusterNetwork: 7 }, 'clusterNetwork of network "multus-cni-network" is 7'],
    [
      { clusterNetwork: 'x', defaultNetworks: 'storage' },
      'defaultNetworks of network "multus-cni-network" is "storage"',
    ],
    [{ clusterNetwork: 'x', systemNamespaces: [1] }, 'systemNamespaces of network'],
  ])('%j is refused with the key', (keys, message) => {
    expect(() => parseMetaConfig({ ...multus, ...keys })).toThrow(message)
  })
})

describe('devices of the kubelet', () => {
  const findDefinition = (namespace: string, name: string): NetworkAttachmentDefinition | undefined => {
    const annotations = { 'k8s.v1.cni.cncf.io/resourceName': name === 'plain' ? '' : 'intel.com/sriov' }
    const plugins = [{ type: 'bridge', capabilities: { deviceID: true, CNIDeviceInfoFile: true } }, { type: 'bridge' }]
    const config = JSON.stringify({ cniVersion: '1.0.0', plugins })
    return { metadata: { namespace, name, annotations }, spec: { config } }
  }
  const devices = new Map([['intel.com/sriov', ['0000:02:00.0', '0000:01:00.0']]])

  test('go to the networks of their resource in order of the IDs, and to every plugin of each', () => {
    const [, a, plain, b] = select('a,plain,b@vf2', { findDefinition, devices })
    expect(a?.requested.device).toEqual({ resourceName: 'intel.com/sriov', id: '0000:01:00.0' })
    expect(b?.requested.device?.id).toBe('0000:02:00.0')
    expect(plain?.requested.device).toBeUndefined()
    expect(plain?.configList.plugins[0]?.deviceID).toBeUndefined()
    for (const plugin of b?.configList.plugins ?? []) {
      expect(plugin).toMatchObject({ deviceID: '0000:02:00.0', pciBusID: '0000:02:00.0' })
    }
    expect(b?.configList.plugins[0]?.runtimeConfig).toEqual({
      deviceID: '0000:02:00.0',
      CNIDeviceInfoFile: '/devinfo/default/b_vf2',
    })
    expect(b?.configList.plugins[1]?.runtimeConfig).toBeUndefined()
  })

  test('of the resource win over the one that the annotation names', () => {
    const [, a, plain] = select('[{"name":"a","deviceID":"x"},{"name":"plain","deviceID":"x"}]', {
      findDefinition,
      devices,
    })
    expect(a?.configList.plugins[0]?.deviceID).toBe('0000:01:00.0')
    expect(plain?.configList.plugins[0]?.deviceID).toBe('x')
  })

  test('of the default network are those of its replacement, if it has one', () => {
    const base = [{ networkName: 'kube-system/d', list: onNode, resourceName: 'intel.com/sriov' }]
    expect(select('a', { base, findDefinition, devices }).map((item) => item.requested.device?.id)).toEqual([
      '0000:01:00.0',
      '0000:02:00.0',
    ])
    const networks = { defaultOverride: { namespace: 'n', name: 'o' }, selections: [], warnings: [] }
    expect(select(undefined, { base, networks, findDefinition, devices })[0]?.requested.device?.id).toBe('0000:01:00.0')
  })

  test('that have run out are an error that names the resource, the network and the fix', () => {
    const wanted = () => select('a,b,c', { findDefinition, devices })
    expect(wanted).toThrow('network default/c needs a device of intel.com/sriov, and the pod has 2')
    expect(() => select('a', { findDefinition })).toThrow('and the pod has 0')
  })
})
