import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  bridge,
  metaConf,
  ovn,
  prepareNode,
  routed,
  secondRouted,
  startFarPod,
  tracesOf,
} from './support/container-networks.ts'
import { type Lab, useLab } from './support/lab.ts'
import { Podman } from './support/podman.ts'

const node = 'work01'

function network(name: string, ...delegates: object[]): { name: string } {
  const { cniVersion, ...plugin } = metaConf(...delegates)
  return { cniVersion, name, plugins: [plugin] } as { name: string }
}

/** Podman's CNI back end, which names a container as if it were a pod without a namespace. */
describe('podman', () => {
  let lab: Lab
  let podman: Podman
  let root: string
  let farAddress: string
  beforeAll(async () => {
    lab = await useLab()
    root = await prepareNode(lab, node)
    podman = await Podman.create(lab, node, [
      network('routed-alone', routed),
      network('with-others', routed, secondRouted, bridge),
      network('with-ovn', routed, ovn),
      { ...{ cniVersion: '1.0.0', plugins: [secondRouted] }, name: 'second-routed' },
    ])
    farAddress = await startFarPod(lab, 'far-of-podman', 'work02')
  })
  afterAll(() => lab?.cli(['delete', 'pod', 'far-of-podman']))

  async function expectComesAndGoes(name: string, networks: string[], interfaces: RegExp[]): Promise<void> {
    const before = await tracesOf(lab, node)
    await podman.run(name, root, networks)
    const addresses = await podman.exec(name, '/bin/ip', '-4', '-o', 'address')
    for (const pattern of interfaces) expect(addresses).toMatch(pattern)
    expect(await podman.exec(name, '/bin/ping', '-c', '1', '-W', '5', farAddress)).toContain('1 packets received')
    await podman.remove(name)
    expect(await tracesOf(lab, node)).toEqual(before)
  }

  it('runs a container on the routed network, and leaves nothing when it is removed', async () => {
    await expectComesAndGoes('routed', ['routed-alone'], [/eth0 .*inet 10\.244\.\d+\.\d+\/32/])
  })

  it('runs a container on three networks of one configuration', async () => {
    const own = ['eth0', 'net1'].map((name) => new RegExp(`${name} .*inet 10\\.244\\.\\d+\\.\\d+/32`))
    await expectComesAndGoes('three', ['with-others'], [...own, /net2 .*inet 10\.99\.0\.\d+\/24/])
  })

  it('attaches one of our networks after the other where the user names two', async () => {
    const own = ['eth0', 'eth1'].map((name) => new RegExp(`${name} .*inet 10\\.244\\.\\d+\\.\\d+/32`))
    await expectComesAndGoes('two', ['routed-alone', 'second-routed'], own)
  })

  it('is refused a network that only a pod can have', async () => {
    const before = await tracesOf(lab, node)
    await expect(podman.run('no-pod', root, ['with-ovn'])).rejects.toThrow('is for Kubernetes pods')
    await podman.remove('no-pod')
    expect(await tracesOf(lab, node)).toEqual(before)
  })
})
