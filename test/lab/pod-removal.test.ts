import { beforeAll, describe, expect, it } from 'vitest'
import { articleFolder, eth1WithDefaultRoute, sleepingPod } from './support/article.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'
import { type PodTraces, podTraces } from './support/pod-traces.ts'

/** Issue 2, point 8: what a pod leaves behind when it is deleted: nothing. */
describe('deleting a pod', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await useLab()
    await lab.cli(['apply', '-f', `${articleFolder}yusur-ovn.yaml`])
  })

  it('removes its veths, OVS ports, logical port, addresses, records and namespaces', async () => {
    const before = await podTraces(lab)
    await lab.cli(['apply', '-f', '-'], {
      input: sleepingPod({ name: 'short-lived', node: 'work02', networks: eth1WithDefaultRoute }),
    })
    await lab.cli(['wait', 'pod/short-lived', '--for=condition=Ready', '--timeout=60s'])
    const during = await podTraces(lab)
    for (const kind of Object.keys(before) as (keyof PodTraces)[]) {
      expect(during[kind].length, `a running pod shows in ${kind}`).toBeGreaterThan(before[kind].length)
    }
    await lab.cli(['delete', 'pod', 'short-lived'])
    await eventually(async () => expect(await podTraces(lab)).toEqual(before))
  })

  it('frees both addresses for later pods, and does not give them out again at once', async () => {
    const addresses: string[] = []
    for (const name of ['first', 'second', 'third']) {
      await lab.cli(['apply', '-f', '-'], {
        input: sleepingPod({ name, node: 'work02', networks: eth1WithDefaultRoute }),
      })
      await lab.cli(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s'])
      const pod = await lab.json<{ status: { podIP: string } }>(['get', 'pod', name, '-o', 'json'])
      addresses.push(pod.status.podIP)
      await lab.cli(['delete', 'pod', name])
    }
    expect(new Set(addresses).size).toBe(3)
  })

  it('leaves a pod of the same name that comes right after it alone', async () => {
    for (let round = 0; round < 3; round++) {
      const manifest = sleepingPod({ name: 'again', node: 'work02', networks: eth1WithDefaultRoute })
      await lab.cli(['apply', '-f', '-'], { input: manifest })
      await lab.cli(['wait', 'pod/again', '--for=condition=Ready', '--timeout=60s'])
      const { stdout } = await lab.cli(['exec', 'again', '--', 'ping', '-c', '2', '-W', '2', '203.0.113.1'])
      expect(stdout).toMatch(/[12] packets received/)
      await lab.cli(['delete', 'pod', 'again'])
    }
  })
})
