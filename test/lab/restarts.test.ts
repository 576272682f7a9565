import { beforeAll, describe, expect, it } from 'vitest'
import { articleFolder, eth1WithDefaultRoute, sleepingPod } from './support/article.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'

const programs = [
  { name: 'agent', node: 'work01', pattern: 'dist/agent.js' },
  { name: 'kubelet', node: 'work01', pattern: 'dist/kubelet.js' },
  { name: 'bird', node: 'work01', pattern: '^[^ ]*bird ' },
  { name: 'ovn-controller', node: 'work01', pattern: '^[^ ]*ovn-controller' },
  { name: 'ovs-vswitchd', node: 'work01', pattern: '^[^ ]*ovs-vswitchd' },
  { name: 'ovsdb-server', node: 'work01', pattern: '^[^ ]*ovsdb-server' },
  { name: 'controller', node: 'master01', pattern: 'dist/controller.js' },
  { name: 'ovn-northd', node: 'master01', pattern: '^[^ ]*ovn-northd' },
  { name: 'ovn-nb', node: 'master01', pattern: '^[^ ]*ovsdb-server.*nb' },
  { name: 'ovn-sb', node: 'master01', pattern: '^[^ ]*ovsdb-server.*sb' },
]

/** Rules of behaviour: kill -9 anywhere is survived, by running pods and by those that come after. */
describe('after kill -9 of', () => {
  let lab: Lab
  let before: string
  beforeAll(async () => {
    lab = await useLab({ fresh: true })
    await lab.cli(['apply', '-f', `${articleFolder}yusur-ovn.yaml`])
    before = await startPod('before')
  })

  async function startPod(name: string): Promise<string> {
    await lab.cli(['apply', '-f', '-'], {
      input: sleepingPod({ name, node: 'work01', networks: eth1WithDefaultRoute }),
    })
    await lab.cli(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s'])
    return (await lab.json<{ status: { podIP: string } }>(['get', 'pod', name, '-o', 'json'])).status.podIP
  }

  const expectReached = async (pod: string, address: string): Promise<void> => {
    const answered = expect.stringMatching(/ 0% packet loss/)
    await eventually(async () => {
      expect((await lab.cli(['exec', pod, '--', 'ping', '-c', '2', '-W', '1', '203.0.113.1'])).stdout).toEqual(answered)
      expect((await lab.exec('work02', ['ping', '-c', '2', '-W', '1', address])).stdout).toEqual(answered)
    })
  }

  it.each(programs)(
    '$name it comes back, a running pod keeps both networks, and a new pod gets both',
    async (program) => {
      const restarts = async (): Promise<number> => {
        const status = await lab.status()
        return status.processes.find(({ name, node }) => name === program.name && node === program.node)?.restarts ?? -1
      }
      const count = await restarts()
      await lab.exec(program.node, ['pkill', '-9', '-f', program.pattern])
      await eventually(async () => expect(await restarts()).toBe(count + 1))
      await expectReached('before', before)
      await expectReached(program.name, await startPod(program.name))
    },
  )
})
