import { afterAll, beforeAll, expect, it } from 'vitest'
import { articleLab } from '../../src/lab/article.ts'
import { createKubectl, findKubectls, type Kubectl } from '../support/kubectl.ts'
import { sleepingPod } from './support/article.ts'
import { type Lab, useLab } from './support/lab.ts'

let lab: Lab
let kubectl: Kubectl

beforeAll(async () => {
  lab = await useLab({ fresh: true, config: { admission: true, nodes: articleLab.nodes.slice(0, 1) } })
  const [binary] = findKubectls()
  if (binary === undefined) throw new Error('kubectl is not on PATH')
  kubectl = await createKubectl(binary, lab.kubeconfig)
})
afterAll(() => kubectl?.close())

async function apply(object: object | string): Promise<string> {
  const { stdout, stderr } = await kubectl.withInput(object, 'apply', '-f', '-')
  return stdout + stderr
}

const definition = (name: string, config: string) => ({
  apiVersion: 'k8s.cni.cncf.io/v1',
  kind: 'NetworkAttachmentDefinition',
  metadata: { name },
  spec: { config },
})
const pod = (name: string, networks: string) => sleepingPod({ name, node: 'master01', networks })
const refusal = /admission webhook "networks\.twinlane\.io" denied the request: /

it('a lab with admission: true refuses by its own controller what lint finds errors in, and runs what is right', async () => {
  const listed = await kubectl('get', 'validatingwebhookconfigurations')
  expect(listed.stdout.replaceAll(/ +/g, ' ')).toContain('twinlane 1 ')
  const net = '{"cniVersion": "1.0.0", "name": "net", "type": "ovn-k8s-cni-overlay", "netAttachDefName": "default/net"}'
  expect(await apply(definition('bad', '{\n"type": }'))).toMatch(refusal)
  expect(await apply(definition('net', net))).toContain('created')
  expect(await apply(pod('bad', 'net@lo'))).toMatch(refusal)
  expect(await apply(pod('none', 'nothing'))).toMatch(/denied the request: .*no NetworkAttachmentDefinition/)
  expect(await apply(pod('odd', '[{"name": "net", "ipRequest": "10.0.0.1"}]'))).toMatch(/Warning: .*ipRequest/)
  expect(await apply(pod('good', 'net@eth1'))).toMatch(/^pod\/good created\n$/)
  await lab.cli(['wait', 'pod/good', '--for=condition=Ready', '--timeout=100s'])
  expect((await lab.cli(['exec', 'good', '--', 'ip', '-o', 'link', 'show', 'eth1'])).stdout).toContain('eth1')
})

it('an IPPool that overlaps another, and a change of its block size, are refused; splitting it is not', async () => {
  const pool = (name: string, spec: object) => ({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name },
    spec,
  })
  expect(await apply(pool('more', { cidr: '10.244.9.0/24' }))).toMatch(/denied the request: spec.cidr: .* overlaps/)
  expect(await apply(pool('more', { cidr: '10.99.0.0/24' }))).toContain('created')
  expect(await apply(pool('more', { cidr: '10.99.0.0/24', blockSize: 28 }))).toMatch(/blockSize: .*cannot be changed/)
  await lab.cli(['ipam', 'split', '2', '--name', 'default-ipv4-ippool'])
  const listed = await kubectl('get', 'ippools', '-o', 'jsonpath={.items[*].spec.cidr}')
  expect(listed.stdout.trim().split(' ').sort()).toEqual(['10.244.0.0/17', '10.244.128.0/17', '10.99.0.0/24'])
  await lab.cli(['wait', 'ippool/more', '--for=condition=Allocatable', '--timeout=20s'])
})

it('a webhook that does not answer holds nobody up for long: the agent is the judge', async () => {
  const nft = (commands: string) => lab.exec('master01', ['nft', commands])
  const chain = 'chain in { type filter hook input priority 0; tcp dport 9443 drop; }'
  await nft(`table inet no-webhook { ${chain}; }`)
  try {
    expect(await apply(pod('unjudged', 'net@lo'))).toContain('created')
  } finally {
    await nft('delete table inet no-webhook')
  }
  expect(await apply(pod('judged', 'net@lo'))).toMatch(refusal)
})
