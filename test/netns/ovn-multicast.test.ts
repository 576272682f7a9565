import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { namespaces } from '../../src/kube/resources/core.ts'
import { eventually, OvnCluster, type TestPod } from '../support/ovn-cluster.ts'
import { canPing, inPod } from '../support/pod-traffic.ts'

let cluster: OvnCluster
let a: TestPod
let b: TestPod
let stranger: TestPod

beforeAll(async () => {
  cluster = await OvnCluster.start()
  for (const name of ['default', 'other']) cluster.kube.seed(namespaces, { metadata: { name } })
  a = await cluster.runPod('a', 'n1')
  b = await cluster.runPod('b', 'n2')
  stranger = await cluster.runPod('stranger', 'n2', 'other')
  for (const { address } of [b, stranger]) expect(await canPing(a, address)).toBe(true)
}, 60_000)

afterAll(async () => {
  await cluster.close()
}, 60_000)

describe('multicast', () => {
  test('is dropped until the namespace asks for it, and then crosses nodes', async () => {
    expect(await receives(b, a)).toBe(false)
    await allow('default', 'true')
    expect(await receives(b, a)).toBe(true)
  }, 40_000)

  test('reaches a pod that came later', async () => {
    const late = await cluster.runPod('late', 'n2')
    expect(await canPing(a, late.address)).toBe(true)
    cluster.nbctl('--wait=hv', 'sync')
    expect(await receives(late, a)).toBe(true)
  }, 40_000)

  test('stays within its namespace, also when both namespaces may', async () => {
    expect(await receives(stranger, a)).toBe(false)
    await allow('other', 'true')
    expect(await receives(stranger, a)).toBe(false)
    expect(await receives(b, stranger)).toBe(false)
    expect(await receives(b, a)).toBe(true)
  }, 60_000)

  test('is dropped again when the namespace no longer asks for it', async () => {
    await allow('default', 'false')
    expect(await receives(b, a)).toBe(false)
    expect(await canPing(a, b.address)).toBe(true)
  }, 40_000)
})

/** Annotates the namespace; resolves when every node has what follows. */
async function allow(name: string, value: string): Promise<void> {
  const annotations = { 'k8s.ovn.org/multicast-enabled': value }
  await cluster.kube.patch(namespaces, name, { type: 'merge', body: { metadata: { annotations } } })
  const isAllowed = (): boolean => cluster.nbctl('list', 'Address_Set').includes(`Namespace:${name}:v4`)
  await eventually(() => isAllowed() === (value === 'true'))
  cluster.nbctl('--wait=hv', 'sync')
}

/** Whether a datagram to a multicast group arrives; the receiver joins first. */
async function receives(receiver: TestPod, sender: TestPod): Promise<boolean> {
  const listen = `
    const s = require('dgram').createSocket('udp4')
    s.bind(5000, () => { s.addMembership('239.1.1.1', '${receiver.address}') })
    s.on('message', () => { console.log('heard'); process.exit() })
    setTimeout(() => process.exit(), 5000)`
  const send = `
    const s = require('dgram').createSocket('udp4')
    s.bind(0, () => { s.setMulticastInterface('${sender.address}'); s.setMulticastTTL(8)
      const timer = setInterval(() => s.send('x', 5000, '239.1.1.1'), 100)
      setTimeout(() => { clearInterval(timer); s.close() }, 4500) })`
  const [heard] = await Promise.all([
    inPod(receiver, process.execPath, '-e', listen),
    inPod(sender, process.execPath, '-e', send),
  ])
  return heard.includes('heard')
}
