import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exec } from '../../src/base/exec.ts'
import { type Log, silentLog } from '../../src/base/log.ts'
import { type ApiServer, startApiServer } from '../../src/lab/apiserver/api-server.ts'

/** Keys and certificates for one test: a CA, a server certificate for loopback, an administrator's client certificate. */
export interface TestPki {
  ca: string
  serverKey: string
  serverCert: string
  clientKey: string
  clientCert: string
}

/** Makes them with the openssl program in `folder`. */
export async function createTestPki(folder: string): Promise<TestPki> {
  const openssl = (...args: string[]) => exec('openssl', args, { cwd: folder })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  await openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2', '-subj', '/CN=test-ca')
  await writeFile(join(folder, 'server.ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n')
  await writeFile(join(folder, 'client.ext'), 'extendedKeyUsage=clientAuth\n')
  for (const [name, subject] of [
    ['server', '/CN=kube-apiserver'],
    ['client', '/O=system:masters/CN=admin'],
  ] as const) {
    await openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject)
    const ca = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2']
    await openssl('x509', '-req', '-in', `${name}.csr`, ...ca, '-extfile', `${name}.ext`, '-out', `${name}.crt`)
  }
  const read = (name: string) => readFile(join(folder, name), 'utf8')
  return {
    ca: await read('ca.crt'),
    serverKey: await read('server.key'),
    serverCert: await read('server.crt'),
    clientKey: await read('client.key'),
    clientCert: await read('client.crt'),
  }
}

export interface TestApiServer {
  server: ApiServer
  url: string
  folder: string
  kubeconfig: string
  pki: TestPki
  stop(): Promise<void>
}

/** An API server with an empty store on loopback, and a kubeconfig for it, in a folder that `stop` removes. */
export async function startTestApiServer(
  options: { kubeletSocket?: (node: string) => string | undefined; log?: Log } = {},
): Promise<TestApiServer> {
  const folder = await mkdtemp(join(tmpdir(), 'twinlane-api-'))
  const pki = await createTestPki(folder)
  const server = await startApiServer({
    dataFolder: join(folder, 'data'),
    tls: { key: pki.serverKey, cert: pki.serverCert, clientCa: pki.ca },
    listeners: [{ host: '127.0.0.1', port: 0 }],
    serviceCidr: '10.96.0.0/16',
    advertise: { host: '192.168.122.10', port: 6443 },
    kubeletSocket: options.kubeletSocket ?? (() => undefined),
    log: options.log ?? silentLog,
  })
  const url = `https://127.0.0.1:${server.ports[0]}`
  const kubeconfig = join(folder, 'kubeconfig')
  await writeFile(kubeconfig, renderKubeconfig(url, pki), { mode: 0o600 })
  return {
    server,
    url,
    folder,
    kubeconfig,
    pki,
    stop: async () => {
      await server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function renderKubeconfig(url: string, pki: TestPki): string {
  const base64 = (pem: string) => Buffer.from(pem).toString('base64')
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority-data': base64(pki.ca) } }],
    users: [
      {
        name: 'test',
        user: { 'client-certificate-data': base64(pki.clientCert), 'client-key-data': base64(pki.clientKey) },
      },
    ],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  })
}
