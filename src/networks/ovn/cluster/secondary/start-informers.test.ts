import { expect, test } from 'vitest'
import { silentLog } from '../../../../base/log.ts'
import { waitFor } from '../../../../base/observable.ts'
import { KubeError } from '../../../../kube/errors.ts'
import { createFakeKube } from '../../../../kube/fake.ts'
import { createInformer } from '../../../../kube/informer.ts'
import { ipamClaims } from '../../resources/ipam-claim.ts'
import { userDefinedNetworks } from '../../resources/user-defined-network.ts'
import { startOptional } from './start-informers.ts'

test('kinds that the API does not serve hold up nobody, and are followed once it does', async () => {
  const kube = createFakeKube()
  const stop = new AbortController()
  const claims = createInformer(kube, ipamClaims, { log: silentLog })
  const networks = createInformer(kube, userDefinedNetworks, { log: silentLog })
  kube.seed(userDefinedNetworks, { metadata: { name: 'blue', namespace: 'default' } })
  kube.seed(ipamClaims, { metadata: { name: 'vm', namespace: 'default' } })
  let isInstalled = false
  kube.intercept(({ type }) => {
    if (type?.kind === 'IPAMClaim' && !isInstalled)
      throw new KubeError('no such kind', { statusCode: 404, reason: 'NotFound' })
  })
  const informers = [
    { type: ipamClaims, informer: claims },
    { type: userDefinedNetworks, informer: networks },
  ]
  await startOptional(informers, { kube, log: silentLog, signal: stop.signal })
  expect(networks.list()).toHaveLength(1)
  expect(claims.hasSynced).toBe(false)
  isInstalled = true
  await waitFor(claims, () => claims.get('vm', 'default'), { what: 'the claim', timeoutMs: 10_000 })
  stop.abort()
})
