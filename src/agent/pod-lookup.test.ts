import { describe, expect, it } from 'vitest'
import { readPodRef } from './pod-lookup.ts'

describe('whom a runtime means', () => {
  const read = (args: Record<string, string>) => readPodRef({ args, containerId: 'c1' })

  it('is the pod of the kubelet', () => {
    const args = { K8S_POD_NAMESPACE: 'shop', K8S_POD_NAME: 'web', K8S_POD_UID: 'u', K8S_POD_INFRA_CONTAINER_ID: 'c1' }
    expect(read(args)).toEqual({ namespace: 'shop', name: 'web', uid: 'u' })
  })

  it('is the container itself for ctr and podman', () => {
    const container = { namespace: '', name: 'c1', uid: '' }
    expect(read({})).toEqual(container)
    expect(read({ IgnoreUnknown: '1', K8S_POD_NAME: 'any' })).toEqual(container)
  })

  it.each([
    { K8S_POD_NAMESPACE: 'shop' },
    { K8S_POD_NAME: 'web', K8S_POD_UID: 'u' },
    { K8S_POD_NAME: 'web', K8S_POD_INFRA_CONTAINER_ID: 'c1' },
    { K8S_POD_UID: 'u' },
  ])('is refused when it is half a pod: %o', (args) => {
    expect(() => read(args)).toThrow('names a Kubernetes pod only in part')
  })
})
