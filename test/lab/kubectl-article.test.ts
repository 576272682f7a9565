import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createKubectl, findKubectls, type Kubectl } from '../support/kubectl.ts'
import { articleFolder } from './support/article.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'

const newest = findKubectls().at(-1)

/** Issue 2, "What a user does": the article's commands with kubectl and nothing else, on a cluster of its own. */
describe.runIf(newest !== undefined)('the article by kubectl', () => {
  let lab: Lab
  let kubectl: Kubectl
  beforeAll(async () => {
    lab = await useLab({ fresh: true })
    kubectl = await createKubectl(newest ?? { version: '', path: 'kubectl' }, lab.kubeconfig)
  })
  afterAll(() => kubectl?.close())

  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await kubectl(...args)
    expect(code, `kubectl ${args.join(' ')}: ${stderr}`).toBe(0)
    return stdout
  }

  it('a node is labelled, a BGPConfiguration and a BGPPeer are applied as CRDs', async () => {
    expect(await run('label', 'node', 'master01', 'route-reflector=true')).toContain('node/master01 labeled')
    await run(
      'annotate',
      'node',
      'master01',
      'projectcalico.org/ASNumber=63400',
      'projectcalico.org/RouteReflectorClusterID=192.168.100.10',
    )
    await run('apply', '-f', `${articleFolder}bgpconfig.yaml`)
    await run('apply', '--server-side', '-f', `${articleFolder}peer.yaml`)
    expect(await run('get', 'bgppeers.projectcalico.org')).toContain('peer-to-rrs')
    await eventually(async () => {
      const { stdout } = await lab.exec('work01', ['twinlane', 'node', 'status'])
      expect(stdout).toMatch(/192\.168\.100\.10 +\| node specific \| up +\| \S+ +\| Established/)
    })
  })

  it('the NAD and the pod are applied, and the pod becomes Ready', async () => {
    expect(await run('apply', '-f', `${articleFolder}yusur-ovn.yaml`)).toContain('yusur-ovn created')
    expect(await run('apply', '-f', `${articleFolder}busybox3.yaml`)).toContain('pod/busybox3 created')
    await run('wait', '--for=condition=Ready', 'pod/busybox3', '--timeout=60s')
    expect(await run('get', 'nad')).toContain('yusur-ovn')
    expect(await run('get', 'pods', '-o', 'wide')).toMatch(/busybox3 +1\/1 +Running +0 +\S+ +10\.244\.\d+\.\d+ +work01/)
  })

  it('exec shows both interfaces and the five routes', async () => {
    const text = await run('exec', '-i', 'busybox3', '--', 'ip', 'addr')
    expect(text).toMatch(/inet 10\.244\.\d+\.\d+\/32 scope global eth0/)
    expect(text).toMatch(/inet 10\.144\.0\.\d+\/24 brd 10\.144\.0\.255 scope global eth1/)
    expect((await run('exec', 'busybox3', '--', 'ip', 'route')).trim().split('\n')).toHaveLength(5)
  })

  it('exec passes the exit code on', async () => {
    expect((await kubectl('exec', 'busybox3', '--', 'sh', '-c', 'exit 7')).code).toBe(7)
  })

  it('describe shows the events of both networks and the warning', async () => {
    const text = await run('describe', 'pod', 'busybox3')
    expect(text).toMatch(/Add eth0 \[10\.244\.\d+\.\d+\/32\] from k8s-pod-network/)
    expect(text).toMatch(/Add eth1 \[10\.144\.0\.\d+\/24\] from default\/yusur-ovn/)
    expect(text).toMatch(/Warning .*NonStandardNetworks/)
  })

  it('logs, patch and explain answer', async () => {
    await run('run', 'talker', '--image=busybox:1.28', '--restart=Never', '--', 'echo', 'hello from a pod')
    await run('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/talker', '--timeout=60s')
    expect(await run('logs', 'talker')).toBe('hello from a pod\n')
    await run('patch', 'pod', 'talker', '-p', '{"metadata":{"labels":{"said":"yes"}}}')
    expect(await run('get', 'pod', '-l', 'said=yes', '-o', 'name')).toBe('pod/talker\n')
    expect(await run('explain', 'ippool.spec.cidr')).toContain('FIELD: cidr')
    expect(await run('api-resources')).toMatch(/network-attachment-definitions +net-attach-def,nad/)
  })

  it('delete waits until the pod is gone', async () => {
    await run('delete', 'pod', 'busybox3', 'talker', '--wait', '--grace-period=1')
    expect(await run('get', 'pods', '-o', 'name')).toBe('')
  })
})
