import { afterEach, describe, expect, test, vi } from 'vitest'
import { silentLog } from '../../../base/log.ts'
import { Emitter } from '../../../base/observable.ts'
import type { NetworkConfigList } from '../../../cni/request.ts'
import { createFakeKube } from '../../../kube/fake.ts'
import { nodes } from '../../../kube/resources/core.ts'
import { parseKubeletConfig } from '../config.ts'
import { Registration } from './registration.ts'

describe('Registration', () => {
  const stop = new AbortController()
  let registration: Registration | undefined
  afterEach(async () => {
    stop.abort()
    await registration?.stop()
  })

  test('reports a network that comes while the node is being created, without waiting for the heartbeat', async () => {
    const kube = createFakeKube()
    const changes = new Emitter<void>()
    const network = {
      current: undefined as NetworkConfigList | undefined,
      onChange: (listener: () => void) => changes.on(listener),
    }
    kube.intercept(({ verb }) => {
      if (verb !== 'updateStatus' || network.current !== undefined) return
      network.current = { cniVersion: '1.0.0', name: 'pods', plugins: [] }
      changes.emit()
    })
    const config = parseKubeletConfig({
      nodeName: 'work01',
      kubeconfig: '/none',
      nodeIp: '192.168.122.101',
      socket: '/none.sock',
      heartbeatSeconds: 3600,
    })
    registration = new Registration({ config, kube, images: [], network, log: silentLog })
    await registration.start(stop.signal)
    await vi.waitFor(async () => {
      const node = await kube.get(nodes, 'work01')
      expect(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True')
    })
  })
})
