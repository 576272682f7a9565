import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { articleFolder, eth1WithDefaultRoute, sleepingPod } from './support/article.ts'
import { type Lab, useLab } from './support/lab.ts'

/** Issue 5, line 9: the logical topology with the names of pods. */
describe('twinlane ovn show', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await useLab()
    await lab.cli(['apply', '-f', `${articleFolder}yusur-ovn.yaml`])
    await lab.cli(['apply', '-f', '-'], {
      input: sleepingPod({ name: 'shown', node: 'work01', networks: eth1WithDefaultRoute }),
    })
    await lab.cli(['wait', 'pod/shown', '--for=condition=Ready', '--timeout=60s'])
  })

  afterAll(() => lab.cli(['delete', 'pod', 'shown']))

  it('shows the cluster from any node: routers, switches, pods', async () => {
    const { stdout } = await lab.exec('work02', ['twinlane', 'ovn', 'show'])
    expect(stdout).toMatch(/^cluster network\n {2}router GR_master01\n/)
    expect(stdout).toMatch(/^ {2}router ovn_cluster_router\n/m)
    expect(stdout).toMatch(
      /^ {4}default_shown +pod default\/shown +0a:58:0a:90:00:\w\w 10\.144\.0\.\d+ +up on work01$/m,
    )
    expect(stdout).toMatch(/^ {4}brens3_work01 +physical network physnet +unknown$/m)
  })

  it('shows one pod with the switch, the router and the source NAT that it has', async () => {
    const { stdout } = await lab.exec('work01', ['twinlane', 'ovn', 'show', 'pod/shown'])
    expect(stdout).toMatch(/^ {2}switch work01 {2}10\.144\.0\.0\/24$/m)
    expect(stdout).toMatch(/^ {4}stor-work01 +router ovn_cluster_router$/m)
    expect(stdout).not.toMatch(/^ {2}switch work02/m)
    const node = await lab.exec('work01', ['twinlane', 'ovn', 'show', 'node/work01'])
    expect(node.stdout).toMatch(/snat 10\.144\.0\.\d+ -> 192\.168\.200\.101/)
  })

  it('says what to do about a pod that OVN does not know', async () => {
    const { code, stderr } = await lab.exec('work01', ['twinlane', 'ovn', 'show', 'pod/none'], { okCodes: [1] })
    expect(code).toBe(1)
    expect(stderr).toMatch(/OVN has nothing of pod\/none/)
  })
})
