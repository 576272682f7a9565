import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { configMaps } from '../../src/kube/resources/core.ts'
import { calicoNodeStatuses } from '../../src/networks/routed/resources.ts'
import { sleepingPod } from './support/article.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'
import { type ProbedPod, startProbes } from './support/udp-probe.ts'

/** Issue 4, point 4: changes of topology by the command, under traffic between all pairs of nodes. */
describe('twinlane bgp migrate', () => {
  const nodes = ['master01', 'work01', 'work02']
  const pods: ProbedPod[] = nodes.map((node) => ({ node, name: `on-${node}` }))
  let lab: Lab
  beforeAll(async () => {
    lab = await useLab({ fresh: true })
    for (const { node, name } of pods) await lab.cli(['apply', '-f', '-'], { input: sleepingPod({ name, node }) })
    for (const { name } of pods) await lab.cli(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s'])
    await eventually(async () => expect((await status()).code).toBe(0))
  })

  afterEach(async () => {
    expect((await lab.kube.list(calicoNodeStatuses)).items).toEqual([])
    expect((await lab.kube.list(configMaps, { namespace: 'kube-system' })).items).toEqual([])
  })

  function status() {
    return lab.cli(['bgp', 'status'], { okCodes: [0, 1] })
  }

  /** Runs something while every pod sends to every other, a datagram every 10 ms; no one may be lost. */
  async function withoutLoss(task: () => Promise<void>): Promise<void> {
    const probes = await startProbes(lab, pods)
    await task()
    const results = await probes.stop()
    expect(results).toHaveLength(6)
    for (const { sent } of results) expect(sent).toBeGreaterThan(100)
    expect(results.filter(({ lost }) => lost !== 0)).toEqual([])
  }

  it('shows the plan, each node before and after, and does nothing with --dry-run', async () => {
    const before = await lab.json(['get', 'nodes', '-o', 'json'])
    const { stdout } = await lab.cli([
      ...['bgp', 'migrate', '--to', 'route-reflectors', '--reflectors', 'master01', '--dry-run'],
    ])
    expect(stdout).toContain(
      'work01\n  before  node-to-node mesh: 192.168.100.10, 192.168.100.102\n  after   node specific: 192.168.100.10\n',
    )
    expect(stdout).toContain('  2. make master01 a route reflector\n  3. turn the node-to-node mesh off\n')
    expect(stdout).toContain('Nothing was done.')
    expect(specsOf(await lab.json(['get', 'nodes', '-o', 'json']))).toEqual(specsOf(before))
  })

  it('goes from the mesh to route reflectors without a lost packet', () =>
    withoutLoss(async () => {
      const { stdout } = await lab.cli([
        ...['bgp', 'migrate', '--to', 'route-reflectors', '--reflectors', 'master01,work01'],
      ])
      expect(stdout).toContain('Done: route-reflectors.')
      expect((await status()).stdout).toMatch(/\| work02 +\| 2 +\| 2 +\| +\|/)
    }))

  it('is continued by the same command after kill -9, without a lost packet', () =>
    withoutLoss(async () => {
      await killWhenSaying(lab, ['bgp', 'migrate', '--to', 'mesh'], 'Step 2')
      await eventually(
        async () => {
          const again = await lab.cli(['bgp', 'migrate', '--to', 'mesh'], { okCodes: [0, 1] })
          expect(again.stdout + again.stderr).toContain('Done: mesh.')
        },
        { timeoutMs: 90_000 },
      )
      expect((await lab.cli(['get', 'bgppeers', '-o', 'json'])).stdout).toContain('"items": []')
      expect((await status()).code).toBe(0)
    }))

  it('is taken back when interrupted, without a lost packet', () =>
    withoutLoss(async () => {
      const run = await killWhenSaying(
        lab,
        ['bgp', 'migrate', '--to', 'route-reflectors', '--reflectors', 'work02'],
        'Step 2',
        'SIGINT',
      )
      expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('everything is as it was before') })
      expect((await status()).stdout).toMatch(/\| work02 +\| 2 +\| 2 +\| +\|/)
      expect((await lab.cli(['get', 'bgppeers', '-o', 'json'])).stdout).toContain('"items": []')
    }))

  it('the status names what is missing and ends with 1', async () => {
    await lab.exec('work02', [
      'nft',
      'add table inet cut; add chain inet cut rules { type filter hook input priority 0; }',
    ])
    await lab.exec('work02', [
      'nft',
      'add rule inet cut rules tcp dport 179 drop; add rule inet cut rules tcp sport 179 drop',
    ])
    try {
      await eventually(
        async () => {
          const { code, stdout } = await status()
          expect(code).toBe(1)
          expect(stdout).toMatch(/\| work02 .*the session with 192\.168\.100\.10.* is \w+/)
        },
        { timeoutMs: 60_000 },
      )
    } finally {
      await lab.exec('work02', ['nft', 'delete table inet cut'])
    }
  })
})

function specsOf(list: unknown): unknown[] {
  return (list as { items: { metadata: { labels: unknown }; spec: unknown }[] }).items.map(({ metadata, spec }) => [
    metadata.labels,
    spec,
  ])
}

interface Ended {
  readonly code: number | null
  readonly stderr: string
}

/** Runs a command and sends it a signal when it has said something; resolves when it has ended. */
function killWhenSaying(
  lab: Lab,
  args: readonly string[],
  words: string,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<Ended> {
  const env = { ...process.env, KUBECONFIG: lab.kubeconfig }
  const child = spawn(process.execPath, [resolve('dist/cli.js'), ...args], { env })
  let stdout = ''
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  child.stdout.on('data', (chunk) => {
    const had = stdout.includes(words)
    stdout += chunk
    if (!had && stdout.includes(words)) child.kill(signal)
  })
  return new Promise((done) => child.once('close', (code) => done({ code, stderr })))
}
