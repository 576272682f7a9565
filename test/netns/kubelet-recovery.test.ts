import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nodes, type PodResource, pods } from '../../src/kube/resources/core.ts'
import { KubeletBed } from '../support/kubelet.ts'

let bed: KubeletBed
beforeEach(() => {
  bed = new KubeletBed({ restartBackoffSeconds: 0.2 })
})
afterEach(() => bed.destroy())

function conditionOf(node: { status?: { conditions?: { type: string; status: string; message?: string }[] } }) {
  return node.status?.conditions?.find((condition) => condition.type === 'Ready')
}

describe('a node', () => {
  it('is not ready until a valid file is in net.d, and starts its pods then', async () => {
    await bed.start()
    await bed.until(() => bed.kube.requests.some(({ verb }) => verb === 'updateStatus'), 'a status')
    const before = conditionOf(await bed.kube.get(nodes, 'work01'))
    expect(before).toMatchObject({ status: 'False' })
    expect(before?.message).toContain('network plugin is not ready: cni config uninitialized')
    await bed.createPod('early', { containers: [bed.shell('sleep 1000')] })
    await bed.waitForEvent('NetworkNotReady')
    bed.configureNetwork()
    await bed.waitForPhase('early', 'Running')
    expect(conditionOf(await bed.kube.get(nodes, 'work01'))).toMatchObject({ status: 'True', reason: 'KubeletReady' })
  })

  it('keeps labels, annotations and conditions that others wrote', async () => {
    const status = { conditions: [{ type: 'NetworkUnavailable', status: 'False' }] }
    const metadata = { name: 'work01', annotations: { theirs: 'a' }, labels: { theirs: 'b' } }
    bed.kube.seed(nodes, { metadata, status } as never)
    bed.configureNetwork()
    await bed.start()
    await bed.until(() => bed.kube.requests.some(({ verb }) => verb === 'updateStatus'), 'a status')
    const node = await bed.kube.get(nodes, 'work01')
    expect(node.metadata.annotations).toEqual({ theirs: 'a' })
    expect(node.metadata.labels).toMatchObject({ theirs: 'b', 'kubernetes.io/hostname': 'work01' })
    expect(node.status?.conditions?.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['NetworkUnavailable', 'Ready']),
    )
    expect(node.status?.addresses).toContainEqual({ type: 'InternalIP', address: '127.0.0.1' })
  })
})

describe('a network plugin that fails', () => {
  beforeEach(async () => {
    bed.configureNetwork()
    await bed.start()
  })

  it('on ADD is reported in its own words, undone, and tried again', async () => {
    bed.failNext('ADD', 'pool is empty')
    await bed.createPod('hungry', { containers: [bed.shell('sleep 1000')] })
    const event = await bed.waitForEvent('FailedCreatePodSandBox')
    const sandbox = bed.calls()[0]?.[1]
    expect(event.message).toBe(
      `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "${sandbox}": plugin type="scripted" name="net" failed (add): pool is empty; try later`,
    )
    expect(bed.calls().map(([command]) => command)).toEqual(['ADD', 'DEL'])
    const pod = await bed.kube.get(pods, 'hungry', 'default')
    expect(pod.status?.phase).toBe('Pending')
    bed.succeed('ADD')
    await bed.waitForPhase('hungry', 'Running')
  })

  it('on DEL is asked again until it succeeds, and the pod is not forgotten before', async () => {
    await bed.createPod('sticky', { containers: [bed.shell('sleep 1000')] })
    await bed.waitForPhase('sticky', 'Running')
    bed.failNext('DEL', 'busy')
    await bed.kube.delete(pods, 'sticky', { namespace: 'default' })
    await bed.until(() => bed.calls().filter(([command]) => command === 'DEL').length >= 2, 'a second DEL')
    expect(bed.records()).toHaveLength(1)
    bed.succeed('DEL')
    await bed.until(() => bed.records().length === 0, 'no record')
  })
})

describe('a kubelet that starts again', () => {
  beforeEach(async () => {
    bed.configureNetwork()
    await bed.start()
  })

  it('finds its containers running and leaves them alone', async () => {
    await bed.createPod('steady', { containers: [bed.shell('sleep 1000')] })
    const before = await bed.waitForPhase('steady', 'Running')
    await bed.stop()
    await bed.start()
    await bed.createPod('next', { containers: [bed.shell('sleep 1000')] })
    await bed.waitForPhase('next', 'Running')
    const after = await bed.kube.get(pods, 'steady', 'default')
    expect(after.status?.containerStatuses).toEqual(before.status?.containerStatuses)
    expect(bed.calls().filter(([command]) => command === 'ADD')).toHaveLength(2)
  })

  it('learns the exit code of a container that ended meanwhile', async () => {
    await bed.createPod('brief', { restartPolicy: 'Never', containers: [bed.shell('sleep 0.3; exit 9')] })
    await bed.waitForPhase('brief', 'Running')
    await bed.stop()
    await bed.until(() => readdirSync(join(bed.config.runFolder, 'exits')).length === 1, 'its exit file')
    await bed.start()
    const pod = await bed.waitForPhase('brief', 'Failed')
    expect(pod.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 9, reason: 'Error' })
  })

  it('removes pods that were deleted meanwhile', async () => {
    await bed.createPod('gone', { containers: [bed.shell('sleep 1000')] })
    await bed.waitForPhase('gone', 'Running')
    await bed.stop()
    await bed.kube.delete(pods, 'gone', { namespace: 'default' })
    await bed.start()
    await bed.until(() => bed.records().length === 0, 'no record')
    expect(bed.calls().at(-1)?.[0]).toBe('DEL')
    expect(readdirSync(join(bed.config.runFolder, 'containers'))).toEqual([])
  })

  it('makes a sandbox anew that did not outlive the node, giving the old address back first', async () => {
    await bed.createPod('lost', { containers: [bed.shell('sleep 1000')] })
    await bed.waitForPhase('lost', 'Running')
    const [, first = '', , netns = ''] = bed.calls()[0] ?? []
    await bed.stop()
    execFileSync('umount', [netns])
    await bed.start()
    await bed.until(() => bed.calls().length >= 3, 'DEL and ADD')
    expect(bed.calls().map(([command]) => command)).toEqual(['ADD', 'DEL', 'ADD'])
    expect(bed.calls()[1]?.[1]).toBe(first)
    expect(bed.calls()[2]?.[1]).not.toBe(first)
    const isBack = (pod: PodResource): true | undefined => {
      const status = pod.status?.containerStatuses?.[0]
      return (status?.restartCount === 1 && status.state?.running !== undefined) || undefined
    }
    await bed.waitForPod('lost', isBack, 'a second run in the new sandbox')
  })

  it('restarts a container whose processes were all killed behind its back', async () => {
    await bed.createPod('shot', { containers: [bed.shell('sleep 1000')] })
    await bed.waitForPhase('shot', 'Running')
    const [id = ''] = readdirSync(join(bed.config.runFolder, 'containers'))
    execFileSync('crun', [`--root=${bed.config.runFolder}/crun`, 'kill', id, 'KILL'])
    const status = await bed.waitForPod(
      'shot',
      (pod) => {
        const found = pod.status?.containerStatuses?.[0]
        return found?.restartCount === 1 && found.state?.running !== undefined ? found : undefined
      },
      'a second run',
    )
    expect(status.lastState?.terminated).toMatchObject({ exitCode: 137 })
  })
})

describe('a pod that is deleted with grace', () => {
  beforeEach(async () => {
    bed.configureNetwork()
    await bed.start()
  })

  async function createHeld(name: string, script: string, seconds: number): Promise<void> {
    const spec = { terminationGracePeriodSeconds: seconds, containers: [bed.shell(script)] }
    // The finalizer keeps the object as the API server keeps it until the kubelet confirms.
    await bed.createPod(name, spec, { finalizers: ['test/hold'] })
    await bed.waitForPhase(name, 'Running')
    await bed.kube.delete(pods, name, { namespace: 'default' })
  }

  async function confirmed(name: string): Promise<void> {
    const isConfirmed = (): boolean =>
      bed.kube.requests.filter((request) => request.verb === 'delete' && request.name === name).length >= 2
    await bed.until(isConfirmed, 'the kubelet to delete the pod')
    await bed.kube.patch(
      pods,
      name,
      { type: 'merge', body: { metadata: { finalizers: null } } },
      { namespace: 'default' },
    )
  }

  it('gets SIGTERM and may end by itself', async () => {
    const began = Date.now()
    await createHeld('polite', 'trap "exit 0" TERM; while true; do sleep 0.05; done', 20)
    await confirmed('polite')
    expect(Date.now() - began).toBeLessThan(3000)
    await bed.waitForEvent('Killing', 'Stopping container main')
  })

  it('gets SIGKILL when the grace period is over', async () => {
    const began = Date.now()
    await createHeld('deaf', 'trap "" TERM; sleep 1000', 1)
    await confirmed('deaf')
    expect(Date.now() - began).toBeGreaterThanOrEqual(950)
  })
})
