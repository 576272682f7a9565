import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findInClusterConfig, loadKubeConfig, loadProcessKubeConfig, parseKubeConfig } from './kubeconfig.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kubeconfig-'))
  await writeFile(join(folder, 'ca.pem'), 'CA TEXT')
})
afterAll(() => rm(folder, { recursive: true }))

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const file = (user: string, current = 'current-context: lab'): string => `
${current}
clusters: [{name: c, cluster: {server: "https://10.0.0.1:6443/", certificate-authority: ca.pem}}]
users: [{name: u, user: ${user}}]
contexts:
- {name: lab, context: {cluster: c, user: u, namespace: blue}}
- {name: broken, context: {cluster: nowhere, user: u}}
`

describe('a kubeconfig', () => {
  test('gives server, credentials and namespace of its current context', async () => {
    const text = file(`{client-certificate-data: ${base64('CERT')}, client-key-data: ${base64('KEY')}}`)
    const config = await parseKubeConfig(text, join(folder, 'config'))
    expect(config).toMatchObject({
      server: 'https://10.0.0.1:6443',
      ca: 'CA TEXT',
      clientCert: 'CERT',
      clientKey: 'KEY',
      namespace: 'blue',
    })
  })

  test('names a file that it needs and cannot read', async () => {
    await expect(parseKubeConfig(file('{client-key: gone.pem}'), join(folder, 'config'))).rejects.toThrow(
      `${folder}/gone.pem: named in the kubeconfig, cannot be read (ENOENT)`,
    )
  })

  test('names a missing context, cluster and file, and what there is', async () => {
    const path = join(folder, 'config')
    await expect(parseKubeConfig(file('{}', ''), path)).rejects.toThrow('current-context: is missing')
    await expect(parseKubeConfig(file('{}'), path, 'x')).rejects.toThrow('no entry named "x" (there are: lab, broken)')
    await expect(parseKubeConfig(file('{}'), path, 'broken')).rejects.toThrow('no entry named "nowhere" (there are: c)')
    await expect(loadKubeConfig(join(folder, 'none'))).rejects.toThrow('none does not exist')
    await expect(parseKubeConfig('a: [', path)).rejects.toThrow('is not YAML')
  })

  test('refuses a credential program and says what to use instead', async () => {
    await expect(parseKubeConfig(file('{exec: {command: x}}'), 'config')).rejects.toMatchObject({
      message: expect.stringContaining('users[u].user'),
      fix: expect.stringContaining('token'),
    })
  })

  test('inside a cluster comes from the mounted service account', async () => {
    await writeFile(join(folder, 'token'), 'abc')
    await writeFile(join(folder, 'namespace'), 'kube-system\n')
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }
    expect(await findInClusterConfig(env, folder)).toMatchObject({
      server: 'https://[fd00::1]:6443',
      tokenFile: join(folder, 'token'),
      namespace: 'kube-system',
    })
    expect(await findInClusterConfig({}, folder)).toBeUndefined()
  })
})

test('a process without a kubeconfig that is no pod of a cluster is told what to do', async () => {
  await expect(loadProcessKubeConfig(undefined, {})).rejects.toMatchObject({
    message: expect.stringContaining('kubeconfig'),
    fix: expect.stringContaining('name a kubeconfig file'),
  })
})
