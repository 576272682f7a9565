import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { waitFor } from '../../src/base/observable.ts'
import type { AttachRequest } from '../../src/networks/driver.ts'
import type { OvnConfig } from '../../src/networks/ovn/config.ts'
import { AttachLateError } from '../../src/networks/ovn/node/attach-late.ts'
import { diagnoseBinding } from '../../src/networks/ovn/node/diagnose.ts'
import type { TestNode } from '../support/ovn.ts'
import { eventually, OvnCluster } from '../support/ovn-cluster.ts'

let cluster: OvnCluster
let node: TestNode

beforeAll(async () => {
  cluster = await OvnCluster.start({
    attachTimeoutMs: 1500,
    // This process, which is the agent too, is on none of the hosts.
    perNode: ({ folder }) => ({ southbound: `unix:${dirname(folder)}/sb.sock` }),
  })
  node = cluster.node('n1')
}, 60_000)

afterAll(async () => {
  await cluster.close()
}, 60_000)

afterEach(async () => {
  cluster.fabric.signal('northd', 'SIGCONT')
  cluster.fabric.signal('ovn-controller', 'SIGCONT', node)
  if (!cluster.hasController) await cluster.startController()
})

let count = 0
let name: string
beforeEach(() => {
  name = `late-${++count}`
})

/** An ADD that is too late tells the runtime to try again (code 11), which part is late, why, and what took how long. */
describe('an attachment that is late says', () => {
  test('that the controller has given no address', async () => {
    await cluster.stopController()
    const error = await failureOf(await request())
    expect(error).toMatchObject({ code: 11, reason: 'no-annotation' })
    expect(error.message).toMatch(/the annotation k8s.ovn.org\/pod-networks of pod default\/late-1.*is it running/)
    expect(error.message).toMatch(/\(annotation not after 1[45]\d\d ms\)$/)
  })

  test('that the controller has not written the logical port', async () => {
    const wanted = await annotated()
    await cluster.stopController()
    cluster.nbctl('lsp-del', `default_${name}`)
    const error = await failureOf(wanted)
    expect(error).toMatchObject({ code: 11, reason: 'port-missing' })
    expect(error.message).toMatch(/no logical port default_late-2, nor has the northbound: is the controller running/)
  })

  test('that ovn-northd is behind', async () => {
    cluster.fabric.signal('northd', 'SIGSTOP')
    const error = await failureOf(await annotated())
    expect(error).toMatchObject({ code: 11, reason: 'port-missing' })
    expect(error.message).toMatch(/the northbound has: is ovn-northd running/)
    expect(error.message).toMatch(
      /\(annotation \d+ ms, switch \d+ ms, device \d+ ms, port \d+ ms, flows not after \d+ ms\)$/,
    )
  })

  test('that nobody has bound the port', async () => {
    const wanted = await annotated()
    cluster.fabric.signal('ovn-controller', 'SIGSTOP', node)
    const error = await failureOf(wanted)
    expect(error).toMatchObject({ code: 11, reason: 'port-unbound' })
    expect(error.message).toMatch(/default_late-4 is not bound: is ovn-controller running/)
  })

  test('that ovn-controller of the node is behind', async () => {
    const wanted = await annotated()
    cluster.fabric.signal('ovn-controller', 'SIGSTOP', node)
    cluster.nbctl('--wait=sb', 'sync')
    const error = await failureOf(wanted)
    expect(error).toMatchObject({ code: 11, reason: 'chassis-stale' })
    expect(error.message).toMatch(/ovn-controller of this node is behind: it has done configuration 0 .* of 1/)
  })

  test('that another node has the port', async () => {
    const wanted = await annotated()
    await cluster.stopController()
    cluster.nbctl('--wait=hv', 'set', 'Logical_Switch_Port', `default_${name}`, 'options:requested-chassis=n2')
    const ids = [`external_ids:iface-id=default_${name}`, `external_ids:iface-id-ver=${wanted.pod.uid}`]
    cluster.vsctl('n2', 'add-port', 'br-int', 'thief', '--', 'set', 'Interface', 'thief', 'type=internal', ...ids)
    const error = await failureOf(wanted)
    cluster.vsctl('n2', 'del-port', 'thief')
    expect(error).toMatchObject({ code: 11, reason: 'port-elsewhere' })
    expect(error.message).toMatch(/default_late-6 is bound to another chassis/)
  })

  test('that the flows of a port which is bound here are missing', async () => {
    const { request } = await cluster.runPod('there', 'n1')
    const systemId = cluster.vsctl('n1', 'get', 'Open_vSwitch', '.', 'external_ids:system-id').replaceAll('"', '')
    const { northbound, folder } = cluster.fabric
    const southbound = `unix:${folder}/sb.sock`
    const logicalPort = `default_${request.pod.name}`
    expect(await diagnoseBinding({ northbound, southbound, logicalPort, systemId })).toMatchObject({
      reason: 'flows-missing',
      text: expect.stringContaining('its flows are not installed: ovn-controller is late'),
    })
  })

  test('that br-int is not there', async () => {
    const wanted = await annotated()
    cluster.fabric.signal('ovn-controller', 'SIGSTOP', node)
    cluster.vsctl('n1', 'del-br', 'br-int')
    await eventually(() => cluster.side('n1').status().problems.join().includes('there is no br-int'))
    const error = await failureOf(wanted)
    expect(error).toMatchObject({ code: 11, reason: 'no-switch' })
    expect(error.message).toMatch(/the bridge br-int: is ovn-controller running/)
  })

  test('that the southbound database is out of reach', async () => {
    const wanted = await annotated()
    cluster.fabric.signal('sb', 'SIGKILL')
    const error = await failureOf(wanted)
    expect(error).toMatchObject({ code: 11, reason: 'database-unreachable' })
    expect(error.message).toMatch(/the southbound database unix:\S+sb\.sock cannot be asked: cannot connect/)
  })
})

test('each of them is counted by its reason, and every stage has its times', async () => {
  const metrics = cluster.side('n1').metrics?.() ?? []
  const late = await metrics
    .find((metric) => 'name' in metric && metric.name === 'twinlane_ovn_attach_late_total')
    ?.get()
  const counts = Object.fromEntries((late?.values ?? []).map(({ labels, value }) => [labels.reason, value]))
  expect(counts).toEqual({
    'no-annotation': 1,
    'port-missing': 2,
    'port-unbound': 1,
    'chassis-stale': 1,
    'port-elsewhere': 1,
    'no-switch': 1,
    'database-unreachable': 1,
  })
  const stages = await metrics
    .find((metric) => 'name' in metric && metric.name === 'twinlane_ovn_attach_stage_seconds')
    ?.get()
  expect(new Set(stages?.values.map(({ labels }) => (labels as { stage?: string }).stage))).toEqual(
    new Set(['annotation', 'switch', 'device', 'port', 'flows']),
  )
})

test('logFile has a line for each of them, with the stages from logLevel 4 on', async () => {
  const lines = async (file: string): Promise<string[]> =>
    (await readFile(join(cluster.fabric.folder, file), 'utf8').catch(() => ''))
      .split('\n')
      .filter((line) => line !== '')
  await eventually(async () => (await lines('cni.log')).length >= 8)
  const text = (await lines('cni.log')).join('\n')
  expect(text).toMatch(
    /^\S+Z E \[default\/late-1 eth1 \w{12}\] ADD of default\/yusur-ovn failed after 1[45]\d\d ms: timed out/m,
  )
  expect(text).toMatch(/\(annotation \d+ ms, switch \d+ ms/)
})

/** A request of a pod that is there. */
async function request(): Promise<AttachRequest<OvnConfig>> {
  const wanted = await cluster.prepare(await cluster.createPod(name, 'n1'))
  return { ...wanted, config: { ...wanted.config, logFile: join(cluster.fabric.folder, 'cni.log') } }
}

/** A request of a pod that has its address. */
async function annotated(): Promise<AttachRequest<OvnConfig>> {
  const wanted = await request()
  await waitFor(cluster.pods, () => cluster.annotationOf(name), { what: 'the annotation', timeoutMs: 5000 })
  return wanted
}

async function failureOf(wanted: AttachRequest<OvnConfig>): Promise<AttachLateError> {
  const error = await cluster.attach('n1', wanted).then(
    () => new Error('it was attached'),
    (failure: unknown) => failure,
  )
  if (!(error instanceof AttachLateError)) throw error
  return error
}
