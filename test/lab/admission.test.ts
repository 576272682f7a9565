import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { silentLog as log } from '../../src/base/log.ts'
import { type AdmissionServer, createAdmissionServer } from '../../src/controller/admission/admission-server.ts'
import { type ClosableKubeClient, createKubeClient } from '../../src/kube/client.ts'
import { createInformer } from '../../src/kube/informer.ts'
import { loadKubeConfig } from '../../src/kube/kubeconfig.ts'
import { networkAttachmentDefinitions } from '../../src/kube/resources/net-attach-def.ts'
import { installResources } from '../../src/lab/install-resources.ts'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'
import { createKubectl, findKubectls, type Kubectl } from '../support/kubectl.ts'

const stop = new AbortController()
let api: TestApiServer
let kubectl: Kubectl
let kube: ClosableKubeClient
let webhook: AdmissionServer

beforeAll(async () => {
  api = await startTestApiServer()
  kube = createKubeClient(await loadKubeConfig(api.kubeconfig))
  await installResources(kube)
  const [binary] = findKubectls()
  if (binary === undefined) throw new Error('kubectl is not on PATH')
  kubectl = await createKubectl(binary, api.kubeconfig)
  const files = { certFile: join(api.folder, 'server.crt'), keyFile: join(api.folder, 'server.key') }
  const definitions = createInformer(kube, networkAttachmentDefinitions, { log })
  webhook = createAdmissionServer({ host: '127.0.0.1', port: 0, ...files }, { definitions, kube, log })
  await webhook.start(stop.signal)
  expect(await apply(configuration())).toContain('twinlane created')
  expect((await kubectl('get', 'validatingwebhookconfigurations')).stdout.replaceAll(/ +/g, ' ')).toContain(
    'twinlane 1 ',
  )
})
afterAll(async () => {
  stop.abort()
  await webhook?.stop()
  await kubectl?.close()
  await kube?.close()
  await api?.stop()
})

async function apply(object: object): Promise<string> {
  const { stdout, stderr } = await kubectl.withInput(object, 'apply', '-f', '-')
  return stdout + stderr
}

function configuration(): object {
  const rule = { apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'] }
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'twinlane' },
    webhooks: [
      {
        name: 'networks.twinlane.io',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        failurePolicy: 'Ignore',
        timeoutSeconds: 2,
        clientConfig: {
          url: `https://127.0.0.1:${webhook.port}/validate`,
          caBundle: Buffer.from(api.pki.ca).toString('base64'),
        },
        rules: [
          { ...rule, apiGroups: ['k8s.cni.cncf.io'], resources: ['network-attachment-definitions'] },
          { ...rule, apiGroups: [''], resources: ['pods'] },
        ],
      },
    ],
  }
}

const definition = (name: string, config: string) => ({
  apiVersion: 'k8s.cni.cncf.io/v1',
  kind: 'NetworkAttachmentDefinition',
  metadata: { name },
  spec: { config },
})

const pod = (name: string, networks: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, annotations: { 'k8s.v1.cni.cncf.io/networks': networks } },
  spec: { containers: [{ name: 'main', image: 'busybox' }] },
})

it("kubectl shows the controller's refusals and warnings, and a stopped controller lets through", async () => {
  const refusal = /admission webhook "networks\.twinlane\.io" denied the request: /
  expect(await apply(definition('bad', '{\n"type": }'))).toMatch(refusal)
  expect(await apply(definition('net', '{"cniVersion": "1.0.0", "type": "ovn-k8s-cni-overlay"}'))).toContain('created')
  expect(await apply(pod('bad', 'net@lo'))).toMatch(refusal)
  expect(await apply(pod('good', 'net@eth1'))).toMatch(/^pod\/good created\n$/)
  expect(await apply(pod('odd', '[{"name": "net", "ipRequest": "10.0.0.1"}]'))).toMatch(/Warning: .*ipRequest/)
  await webhook.stop()
  expect(await apply(pod('bad', 'net@lo'))).toContain('created')
})
