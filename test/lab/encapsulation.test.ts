import { beforeAll, describe, expect, it } from 'vitest'
import { sleepingPod } from './support/article.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'

/** Issue 4, point 5: where the network between the nodes knows nothing of pods. */
describe('a cluster whose pool is encapsulated from the beginning, without any BGP session', () => {
  let lab: Lab

  beforeAll(async () => {
    lab = await useLab({ fresh: true, config: { routed: { vxlanMode: 'Always' } } })
    const noMesh = { apiVersion: 'projectcalico.org/v3', kind: 'BGPConfiguration', metadata: { name: 'default' } }
    const spec = { nodeToNodeMeshEnabled: false, asNumber: 63400 }
    await lab.cli(['apply', '-f', '-'], { input: JSON.stringify({ ...noMesh, spec }) })
    const pods = [
      { name: 'here', node: 'work01' },
      { name: 'there', node: 'work02' },
    ]
    await lab.cli(['apply', '-f', '-'], { input: pods.map(sleepingPod).join('\n---\n') })
    for (const { name } of pods) await lab.cli(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s'])
  }, 180_000)

  const inPod = async (...command: string[]): Promise<string> =>
    (await lab.cli(['exec', 'here', '--', ...command])).stdout

  async function addressOf(pod: string): Promise<string> {
    const { status } = await lab.json<{ status: { podIP: string } }>(['get', 'pod', pod, '-o', 'json'])
    return status.podIP
  }

  it('carries full packets between pods of two nodes, and keeps them off the wire as they are', async () => {
    const there = await addressOf('there')
    await eventually(async () => void (await inPod('ping', '-c', '1', '-W', '1', '-s', '1422', there)))
    expect(await inPod('ip', 'link', 'show', 'eth0')).toContain('mtu 1450')
    const { stdout } = await lab.exec('work01', ['ip', 'route', 'get', there])
    expect(stdout).toContain('dev vxlan.calico')
  })

  it('says in the Node what other nodes send to', async () => {
    const { spec } = await lab.json<{ spec: Record<string, string> }>([
      'get',
      'node.projectcalico.org',
      'work01',
      '-o',
      'json',
    ])
    expect(spec).toMatchObject({
      ipv4VXLANTunnelAddr: expect.stringMatching(/^10\.244\./),
      vxlanTunnelMACAddr: expect.stringMatching(/^66:/),
    })
    expect((await lab.cli(['ipam', 'check'])).stdout).toContain('found 0 problems')
  })

  it('becomes a routed one while pods talk, when there is BGP again', async () => {
    const patch = { spec: { nodeToNodeMeshEnabled: true } }
    await lab.cli(['patch', 'bgpconfiguration', 'default', '-p', JSON.stringify(patch)])
    const there = await addressOf('there')
    await eventually(async () => {
      const { stdout } = await lab.exec('work01', ['twinlane', 'node', 'status'])
      expect(stdout.match(/Established/g)?.length).toBe(2)
    })
    const answers = inPod('ping', '-q', '-c', '500', '-i', '0.01', '-W', '2', there)
    await lab.cli(['patch', 'ippool', 'default-ipv4-ippool', '-p', JSON.stringify({ spec: { vxlanMode: 'Never' } })])
    expect(await answers).toContain('500 packets transmitted, 500 packets received')
    await eventually(async () => {
      expect((await lab.exec('work01', ['ip', 'route', 'get', there])).stdout).toContain('dev ens2')
    })
  })
})
