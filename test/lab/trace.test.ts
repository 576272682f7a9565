import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { articleFolder, eth1WithDefaultRoute, sleepingPod } from './support/article.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'

const pods = [
  { name: 'trace-a', node: 'work01', networks: eth1WithDefaultRoute },
  { name: 'trace-b', node: 'work02', networks: eth1WithDefaultRoute },
  { name: 'trace-plain', node: 'work02' },
]

/** Issue 5, line 9: a packet's way and its answer's, over either network. */
describe('twinlane trace', () => {
  let lab: Lab

  beforeAll(async () => {
    lab = await useLab()
    await lab.cli(['apply', '-f', `${articleFolder}yusur-ovn.yaml`])
    const labelled = pods.map((pod) => ({ ...pod, labels: { traced: pod.name } }))
    await lab.cli(['apply', '-f', '-'], { input: [...labelled.map(sleepingPod), service].join('\n---\n') })
    for (const { name } of pods) await lab.cli(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s'])
  })

  afterAll(async () => {
    await lab.cli(['delete', 'service', 'traced'])
    for (const { name } of pods) await lab.cli(['delete', 'pod', name])
  })

  async function trace(...args: string[]): Promise<{ code: number; stdout: string }> {
    return await lab.cli(['trace', ...args, '--state', lab.folder], { okCodes: [0, 1] })
  }

  it('over eth1 to a pod of another node is symmetric, by OVN alone', async () => {
    const { code, stdout } = await trace('trace-a', 'trace-b:8080', '--interface', 'eth1')
    expect(stdout).toMatch(
      /^ {2}pod default\/trace-a\n {4}rule \d+: .*\n {4}route 10\.144\.\S+ via 10\.144\.0\.1 dev eth1/m,
    )
    expect(stdout).toMatch(/^ {4}default_trace-a -> work01 -> ovn_cluster_router -> work02 -> default_trace-b$/m)
    expect(stdout).toMatch(/^ {4}datapath of work01: .*/m)
    expect(stdout).toMatch(/= pod default\/trace-b \(eth1\), from 10\.144\.0\.\d+/)
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('symmetric')
    expect(code).toBe(0)
  })

  it('over eth0 to a pod of another node goes by the routes that BIRD has from BGP', async () => {
    const { code, stdout } = await trace('trace-a', 'trace-plain', '--interface', 'eth0')
    expect(stdout).toMatch(
      /^ {2}node work01\n {4}rule 32766: lookup main\n {4}route 10\.244\.\S+ via 192\.168\.\S+ dev ens\d\n/m,
    )
    expect(stdout).toMatch(/^ {4}from BIRD: (Mesh|Node|Global)_\S+$/m)
    expect(stdout).toMatch(/^ {4}arrives by eth0$/m)
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('symmetric')
    expect(code).toBe(0)
  })

  it('to the outside takes the default route of eth1, and tells the rule and the translation on the node', async () => {
    const { code, stdout } = await trace('trace-a', '203.0.113.1')
    expect(stdout).toMatch(/^ {4}route default via 10\.144\.0\.1 dev eth1$/m)
    expect(stdout).toMatch(/^ {4}rule 14401: iif ovn-k8s-mp0 lookup 14400$/m)
    expect(stdout).toMatch(
      /^ {4}nftables inet twinlane-ovn postrouting: oifname != ovn-k8s-mp0 saddr 10\.144\.0\.0\/24 masquerade$/m,
    )
    expect(stdout).toMatch(/^ {4}source 10\.144\.0\.\d+ becomes 192\.168\.200\.101$/m)
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('symmetric')
    expect(code).toBe(0)
  })

  it('through the node to a pod that has eth0 only is symmetric, because the node translates and translates back', async () => {
    const { stdout: address } = await lab.cli(['get', 'pod', 'trace-plain', '-o', 'jsonpath={.status.podIP}'])
    const { code, stdout } = await trace('trace-a', address.trim(), '--interface', 'eth1')
    expect(stdout).toMatch(/^ {4}connection tracking: destination 192\.168\.100\.101 becomes 10\.144\.0\.\d+ again$/m)
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('symmetric')
    expect(code).toBe(0)
  })

  it('to a service goes by the load balancer of OVN to an endpoint, and the answer finds its way back', async () => {
    const { stdout: address } = await lab.cli(['get', 'service', 'traced', '-o', 'jsonpath={.spec.clusterIP}'])
    await eventually(async () => {
      const { code, stdout } = await trace('trace-a', `${address.trim()}:80`)
      expect(stdout).toMatch(/^ {4}load balancer: destination 10\.96\.\d+\.\d+ becomes 10\.244\.\d+\.\d+:8080$/m)
      expect(stdout).toMatch(/= pod default\/trace-plain \(eth0\)/)
      expect(stdout.trimEnd().split('\n').at(-1)).toBe('symmetric')
      expect(code).toBe(0)
    })
  })

  it('names the place where an answer takes another way', async () => {
    // Without the rule by source the answer of trace-b takes the default route, which is on eth1.
    await lab.exec('work02', ['sh', '-c', `nsenter --net=$(${netnsOf('trace-b')}) ip rule del priority 1000`])
    const { stdout: address } = await lab.cli(['get', 'pod', 'trace-b', '-o', 'jsonpath={.status.podIP}'])
    const { code, stdout } = await trace('trace-plain', address.trim())
    // OVN's port security lets nothing out with the address of eth0.
    expect(stdout.trimEnd().split('\n').at(-1)).toBe(
      'asymmetric at pod default/trace-b: the packet passed it by eth0, the answer takes eth1, where it is lost at OVN: work02 drops it',
    )
    expect(code).toBe(1)
  })

  it('says which pods there are none of', async () => {
    const { code, stderr } = await lab.cli(['trace', 'trace-a', 'nobody', '--state', lab.folder], { okCodes: [1] })
    expect(code).toBe(1)
    expect(stderr).toMatch(/there is no pod default\/nobody, and "nobody" is no address/)
  })
})

const service = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'traced', namespace: 'default' },
  spec: { selector: { traced: 'trace-plain' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
})

/** A shell command that prints the path of a pod's network namespace, from the agent's record. */
function netnsOf(pod: string): string {
  const file = `$(grep -l '"name":"${pod}"' /var/lib/twinlane/attachments/*.json)`
  return `sed -n 's/.*"netns":"\\([^"]*\\)".*/\\1/p' ${file} | head -n 1`
}
