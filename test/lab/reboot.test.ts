import { beforeAll, describe, expect, it } from 'vitest'
import { articleFolder, eth1WithDefaultRoute, sleepingPod } from './support/article.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'
import { type PodTraces, podTraces } from './support/pod-traces.ts'

/**
 * What a power cut leaves of a node: disks, and pods in the API. Gone are the processes of pods, their namespaces and
 * veths, and our part of /run. Agent and kubelet are killed first: they need longer to come back than the rest takes.
 */
const powerCut = `
pkill -9 -f dist/[a]gent.js; pkill -9 -f dist/[k]ubelet.js
self=$(readlink /proc/self/ns/net)
for process in /proc/[0-9]*; do
  namespace=$(readlink $process/ns/net) || continue
  [ "$namespace" = "$self" ] || kill -9 "\${process#/proc/}"
done
for name in $(ls /run/netns); do ip netns delete "$name"; done
for link in $(ip -o link show type veth | sed -n 's/^[0-9]*: \\([^@:]*\\).*/\\1/p'); do
  case "$link" in cali*) ip link delete "$link" ;; [0-9a-f]*) [ \${#link} -eq 15 ] && ip link delete "$link" ;; esac
done
rm -rf /run/twinlane
true`

describe('a node that loses its power while pods with two networks run on it', () => {
  let lab: Lab
  let before: PodTraces
  const names = ['kept-0', 'kept-1', 'kept-2']
  beforeAll(async () => {
    lab = await useLab({ fresh: true })
    await lab.cli(['apply', '-f', `${articleFolder}yusur-ovn.yaml`])
    before = await podTraces(lab)
    const pods = names.map((name) => sleepingPod({ name, node: 'work02', networks: eth1WithDefaultRoute }))
    await lab.cli(['apply', '-f', '-'], { input: pods.join('\n---\n') })
    for (const name of names) await lab.cli(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s'])
  })

  /** Both interfaces with their addresses; whoever has eth0 alone runs without what it asked for. */
  async function interfacesOf(name: string): Promise<string[]> {
    const { stdout } = await lab.cli(['exec', name, '--', 'ip', '-4', '-o', 'addr'])
    return [...stdout.matchAll(/(eth\d) +inet (10\.\d+)\./g)].map(([, nic, prefix]) => `${nic} ${prefix}`).sort()
  }

  it('starts them again with both networks, and keeps nothing of their earlier life', async () => {
    const running = await podTraces(lab)
    await lab.exec('work02', ['sh', '-c', powerCut])
    await eventually(
      async () => {
        for (const name of names) expect(await interfacesOf(name)).toEqual(['eth0 10.244', 'eth1 10.144'])
      },
      { timeoutMs: 120_000 },
    )
    for (const name of names) {
      await eventually(async () => {
        const { stdout } = await lab.cli(['exec', name, '--', 'ping', '-c', '2', '-W', '2', '203.0.113.1'])
        expect(stdout).toContain(' 0% packet loss')
      })
    }
    await eventually(async () => expect(countsOf(await podTraces(lab))).toEqual(countsOf(running)))
    for (const name of names) await lab.cli(['delete', 'pod', name])
    await eventually(async () => expect(await podTraces(lab)).toEqual(before))
  }, 300_000)
})

function countsOf(traces: PodTraces): Record<string, number> {
  return Object.fromEntries(Object.entries(traces).map(([kind, found]) => [kind, found.length]))
}
