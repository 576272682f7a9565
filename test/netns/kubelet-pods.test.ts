import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PodResource, pods } from '../../src/kube/resources/core.ts'
import { KubeletBed } from '../support/kubelet.ts'

describe('a pod on the kubelet stand-in', () => {
  const bed = new KubeletBed({ restartBackoffSeconds: 0.3 })
  beforeAll(async () => {
    bed.configureNetwork()
    await bed.start()
  })
  afterAll(() => bed.destroy())

  it('runs with the address that the plugin gave, and the events that a kubelet writes', async () => {
    await bed.createPod('web', {
      containers: [bed.shell('echo started; sleep 1000')],
      terminationGracePeriodSeconds: 1,
    })
    const pod = await bed.waitForPhase('web', 'Running')
    expect(pod.status).toMatchObject({ podIP: '10.9.0.7', hostIP: '127.0.0.1', qosClass: 'BestEffort' })
    expect(pod.status?.containerStatuses?.[0]).toMatchObject({ ready: true, started: true, restartCount: 0 })
    expect(pod.status?.conditions?.map(({ type, status }) => `${type}=${status}`)).toEqual([
      'PodReadyToStartContainers=True',
      'Initialized=True',
      'Ready=True',
      'ContainersReady=True',
      'PodScheduled=True',
    ])
    await bed.waitForEvent('Started', 'Started container main')
    const add = bed.calls().find(([command]) => command === 'ADD')
    expect(add?.[2]).toBe('eth0')
    expect(add?.[4]).toBe(
      `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=${add?.[1]};K8S_POD_UID=${pod.metadata.uid}`,
    )
  })

  it('leaves nothing behind when it is deleted', async () => {
    const [, , , netns = ''] = bed.calls().find(([command]) => command === 'ADD') ?? []
    expect(existsSync(netns)).toBe(true)
    await bed.kube.delete(pods, 'web', { namespace: 'default' })
    await bed.until(() => bed.records().length === 0, 'no record')
    expect(bed.calls().at(-1)?.[0]).toBe('DEL')
    expect(existsSync(netns)).toBe(false)
    expect(readdirSync(bed.config.logFolder)).toEqual([])
    for (const name of ['containers', 'exits', 'crun', 'sandboxes']) {
      expect(readdirSync(`${bed.config.runFolder}/${name}`), name).toEqual([])
    }
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(bed.config.runFolder)
  })

  it('succeeds or fails for good by exit code when it is never restarted', async () => {
    await bed.createPod('good', { restartPolicy: 'Never', containers: [bed.shell('exit 0')] })
    await bed.createPod('bad', { restartPolicy: 'Never', containers: [bed.shell('exit 3')] })
    const [good, bad] = await Promise.all([bed.waitForPhase('good', 'Succeeded'), bed.waitForPhase('bad', 'Failed')])
    expect(good.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 0, reason: 'Completed' })
    expect(bad.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 3, reason: 'Error' })
    await bed.until(() => bed.calls().filter(([command]) => command === 'DEL').length >= 3, 'the network given back')
  })

  it('backs off in CrashLoopBackOff and counts its restarts', async () => {
    await bed.createPod('crash', { containers: [bed.shell('exit 7')] })
    const status = await bed.waitForPod(
      'crash',
      (pod) => {
        const found = pod.status?.containerStatuses?.[0]
        return found?.state?.waiting?.reason === 'CrashLoopBackOff' && found.restartCount >= 2 ? found : undefined
      },
      'CrashLoopBackOff',
    )
    expect(status.lastState?.terminated?.exitCode).toBe(7)
    expect(status.state?.waiting?.message).toMatch(
      /^back-off \d+s restarting failed container=main pod=crash_default\(/,
    )
    await bed.waitForEvent('BackOff', 'Back-off restarting failed container main in pod crash_default(')
  })

  it('runs init containers one after the other before the others', async () => {
    await bed.createPod('init', {
      restartPolicy: 'Never',
      volumes: [{ name: 'shared', emptyDir: {} }],
      initContainers: ['one', 'two'].map((name) => ({
        ...bed.shell(`echo ${name} >> /shared/order`, { volumeMounts: [{ name: 'shared', mountPath: '/shared' }] }),
        name,
      })),
      containers: [
        bed.shell('test "$(tr "\\n" " " < /shared/order)" = "one two "', {
          volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
        }),
      ],
    })
    await bed.waitForPhase('init', 'Succeeded')
  })

  it('says which images there are when it asks for another', async () => {
    await bed.createPod('nginx', { containers: [{ name: 'main', image: 'nginx:1.27' }] })
    const waiting = await bed.waitForPod(
      'nginx',
      (pod) => pod.status?.containerStatuses?.[0]?.state?.waiting,
      'waiting',
    )
    const settled =
      waiting.reason === 'ContainerCreating'
        ? await bed.waitForPod(
            'nginx',
            (pod) => {
              const found = pod.status?.containerStatuses?.[0]?.state?.waiting
              return found?.reason?.startsWith('ErrImage') || found?.reason === 'ImagePullBackOff' ? found : undefined
            },
            'ErrImagePull',
          )
        : waiting
    expect(settled.message).toContain('the images of the lab are: busybox')
  })

  it('reports a command that is not there as a start that failed', async () => {
    await bed.createPod('nocmd', {
      restartPolicy: 'Never',
      containers: [{ name: 'main', image: 'busybox', command: ['/no/such/program'] }],
    })
    const pod = await bed.waitForPhase('nocmd', 'Failed')
    const terminated = pod.status?.containerStatuses?.[0]?.state?.terminated
    expect(terminated).toMatchObject({ exitCode: 128, reason: 'StartError' })
    expect(terminated?.message).toContain('/no/such/program')
  })

  it('takes its environment, user and working folder from its spec', async () => {
    await bed.createPod('env', {
      restartPolicy: 'Never',
      containers: [
        {
          name: 'main',
          image: 'busybox',
          args: [
            'sh',
            '-c',
            'test "$WHO $POD_IP $(id -u) $(pwd) $(hostname) $0" = "hi env 10.9.0.7 1000 /tmp env hi env"',
            '$(WHO)',
          ],
          workingDir: '/tmp',
          securityContext: { runAsUser: 1000 },
          env: [
            { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
            { name: 'WHO', value: 'hi $(NAME)' },
          ],
        },
      ],
    })
    await bed.waitForPhase('env', 'Succeeded')
  })

  it('is ready only when its readiness probe says so, and is restarted by its liveness probe', async () => {
    await bed.createPod('probed', {
      terminationGracePeriodSeconds: 1,
      containers: [
        bed.shell('trap "exit 0" TERM; sleep 1; touch /tmp/ready; sleep 2; touch /tmp/dead; sleep 1000 & wait', {
          readinessProbe: { exec: { command: ['test', '-e', '/tmp/ready'] }, periodSeconds: 1 },
          livenessProbe: { exec: { command: ['test', '!', '-e', '/tmp/dead'] }, periodSeconds: 1, failureThreshold: 1 },
        }),
      ],
    })
    const first = await bed.waitForPhase('probed', 'Running')
    expect(first.status?.containerStatuses?.[0]?.ready).toBe(false)
    await bed.waitForPod('probed', (pod) => pod.status?.containerStatuses?.[0]?.ready || undefined, 'ready')
    await bed.waitForEvent('Unhealthy', 'Readiness probe failed')
    await bed.waitForEvent('Killing', 'Container main failed liveness probe, will be restarted')
    const restarts = (pod: PodResource): number => pod.status?.containerStatuses?.[0]?.restartCount ?? 0
    await bed.waitForPod('probed', (pod) => restarts(pod) >= 1 || undefined, 'a restart')
  })
})
