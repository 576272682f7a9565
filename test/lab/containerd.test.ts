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
import { Containerd } from './support/containerd.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'

const node = 'work01'

/** A container runtime that nobody here wrote, on our networks, without any pod. */
describe('containerd', () => {
  let lab: Lab
  let containerd: Containerd
  let root: string
  let farAddress: string
  beforeAll(async () => {
    lab = await useLab()
    root = await prepareNode(lab, node)
    containerd = await Containerd.start(lab, node)
    farAddress = await startFarPod(lab, 'far-of-containerd', 'work02')
  })
  afterAll(async () => {
    await containerd?.stop()
    await lab?.cli(['delete', 'pod', 'far-of-containerd'])
  })

  it('runs a container on the default network that the agent wrote into net.d', async () => {
    const before = await tracesOf(lab, node)
    const container = await containerd.run('one-network', root)
    expect(await container.exec('/bin/ip', 'address', 'show', 'eth0')).toMatch(/inet 10\.244\.\d+\.\d+\/32/)
    expect(await container.exec('/bin/ip', 'route')).toContain('default via 169.254.1.1 dev eth0')
    expect(await container.exec('/bin/ping', '-c', '1', '-W', '5', farAddress)).toContain('1 packets received')
    await container.stop()
    await eventually(async () => expect(await tracesOf(lab, node)).toEqual(before))
  })

  it('runs a container on three networks, one of them of another plugin', async () => {
    const before = await tracesOf(lab, node)
    const container = await containerd.run('three-networks', root, metaConf(routed, secondRouted, bridge))
    const addresses = await container.exec('/bin/ip', '-4', '-o', 'address')
    expect(addresses).toMatch(/eth0 .*inet 10\.244\.\d+\.\d+\/32/)
    expect(addresses).toMatch(/net1 .*inet 10\.244\.\d+\.\d+\/32/)
    expect(addresses).toMatch(/net2 .*inet 10\.99\.0\.\d+\/24/)
    expect(await container.exec('/bin/ping', '-c', '1', '-W', '5', farAddress)).toContain('1 packets received')
    await container.stop()
    await eventually(async () => expect(await tracesOf(lab, node)).toEqual(before))
  })

  it('is refused a network that only a pod can have, and nothing is left', async () => {
    const before = await tracesOf(lab, node)
    const said = await containerd.runBadly('no-pod', root, metaConf(routed, ovn))
    expect(said).toContain('network "second" (net1) is for Kubernetes pods, and container default-no-pod is none')
    await eventually(async () => expect(await tracesOf(lab, node)).toEqual(before))
  })
})
