import { readFile } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { parse } from 'yaml'
import { ConfigError, errorCode, NotFoundError } from '../base/errors.ts'
import { findFile } from '../base/file.ts'

/** How to reach one API server as one user. PEM text, never file names, except for a token that is re-read. */
export interface KubeConfig {
  /** e.g. https://192.168.122.10:6443 */
  readonly server: string
  readonly ca?: string | undefined
  readonly clientCert?: string | undefined
  readonly clientKey?: string | undefined
  readonly token?: string | undefined
  /** Read again every minute and after a 401: service account tokens are replaced while a process runs. */
  readonly tokenFile?: string | undefined
  readonly basicAuth?: { readonly username: string; readonly password: string } | undefined
  readonly skipTlsVerify?: boolean
  readonly tlsServerName?: string | undefined
  /** Namespace of the context. */
  readonly namespace: string
  /** Every file that this was read from: when one changes, it is to be read again. */
  readonly files?: readonly string[]
}

interface KubeConfigFile {
  'current-context'?: string
  clusters?: { name: string; cluster?: ClusterEntry }[]
  users?: { name: string; user?: UserEntry }[]
  contexts?: { name: string; context?: { cluster?: string; user?: string; namespace?: string } }[]
}

interface ClusterEntry {
  server?: string
  'certificate-authority'?: string
  'certificate-authority-data'?: string
  'insecure-skip-tls-verify'?: boolean
  'tls-server-name'?: string
}

interface UserEntry {
  'client-certificate'?: string
  'client-certificate-data'?: string
  'client-key'?: string
  'client-key-data'?: string
  token?: string
  tokenFile?: string
  username?: string
  password?: string
  exec?: unknown
  'auth-provider'?: unknown
}

/**
 * Reads a kubeconfig file. Names of files in it are relative to its folder.
 * Throws NotFoundError when there is no such file and ConfigError naming the field otherwise.
 */
export async function loadKubeConfig(
  path: string,
  options: { context?: string | undefined } = {},
): Promise<KubeConfig> {
  const text = await findFile(path)
  if (text === undefined) throw new NotFoundError(`kubeconfig ${path} does not exist`)
  return parseKubeConfig(text, path, options.context)
}

/** The same from text; `path` says where it came from and what relative names are relative to. */
export async function parseKubeConfig(text: string, path: string, contextName?: string): Promise<KubeConfig> {
  const file = parseYaml(text, path)
  const context = selectContext(file, path, contextName)
  const cluster = entry(file.clusters, context.cluster, `${path}: clusters`).cluster ?? {}
  const user = context.user === undefined ? {} : (entry(file.users, context.user, `${path}: users`).user ?? {})
  if (cluster.server === undefined)
    throw new ConfigError(`${path}: clusters[${context.cluster}].cluster.server`, 'is missing')
  refuseUnsupported(user, `${path}: users[${context.user}].user`)
  const folder = dirname(path)
  return {
    server: cluster.server.replace(/\/+$/, ''),
    ca: await pem(cluster['certificate-authority-data'], cluster['certificate-authority'], folder),
    clientCert: await pem(user['client-certificate-data'], user['client-certificate'], folder),
    clientKey: await pem(user['client-key-data'], user['client-key'], folder),
    token: user.token,
    tokenFile: user.tokenFile === undefined ? undefined : absolute(user.tokenFile, folder),
    basicAuth: user.username === undefined ? undefined : { username: user.username, password: user.password ?? '' },
    skipTlsVerify: cluster['insecure-skip-tls-verify'] === true,
    tlsServerName: cluster['tls-server-name'],
    namespace: context.namespace ?? 'default',
    files: [path, ...namedFiles(cluster, user).map((name) => absolute(name, folder))],
  }
}

function namedFiles(cluster: ClusterEntry, user: UserEntry): string[] {
  const names = [cluster['certificate-authority'], user['client-certificate'], user['client-key'], user.tokenFile]
  return names.filter((name) => name !== undefined)
}

/** The service account that Kubernetes mounts into every pod, or undefined outside of a cluster. */
export async function findInClusterConfig(
  env: Record<string, string | undefined>,
  folder = '/var/run/secrets/kubernetes.io/serviceaccount',
): Promise<KubeConfig | undefined> {
  const host = env.KUBERNETES_SERVICE_HOST
  if (host === undefined || host === '') return undefined
  const [ca, token, namespace] = await Promise.all(
    ['ca.crt', 'token', 'namespace'].map((name) => findFile(join(folder, name))),
  )
  if (token === undefined) return undefined
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${env.KUBERNETES_SERVICE_PORT ?? '443'}`,
    ca,
    tokenFile: join(folder, 'token'),
    namespace: namespace?.trim() || 'default',
  }
}

/**
 * What a process of the cluster connects with: the file that its configuration names, else the service account of its
 * pod. Throws ConfigError and NotFoundError.
 */
export async function loadProcessKubeConfig(
  path: string | undefined,
  env: Record<string, string | undefined>,
): Promise<KubeConfig> {
  if (path !== undefined) return await loadKubeConfig(path)
  const found = await findInClusterConfig(env)
  if (found !== undefined) return found
  throw new ConfigError('kubeconfig', 'is missing, and there is no service account with KUBERNETES_SERVICE_HOST', {
    fix: 'name a kubeconfig file in the configuration, or run in a pod of the cluster',
  })
}

function parseYaml(text: string, path: string): KubeConfigFile {
  try {
    const file: unknown = parse(text)
    if (typeof file === 'object' && file !== null) return file
  } catch (cause) {
    throw new ConfigError(path, 'is not a kubeconfig: it is not YAML', { cause })
  }
  throw new ConfigError(path, 'is not a kubeconfig: it is empty')
}

function selectContext(file: KubeConfigFile, path: string, contextName?: string) {
  const name = contextName ?? file['current-context']
  if (name === undefined || name === '') throw new ConfigError(`${path}: current-context`, 'is missing')
  const context = entry(file.contexts, name, `${path}: contexts`).context ?? {}
  if (context.cluster === undefined) throw new ConfigError(`${path}: contexts[${name}].context.cluster`, 'is missing')
  return { ...context, cluster: context.cluster }
}

function entry<T extends { name: string }>(list: T[] | undefined, name: string, field: string): T {
  const found = list?.find((candidate) => candidate.name === name)
  if (found !== undefined) return found
  const known = (list ?? []).map((candidate) => candidate.name).join(', ') || 'none'
  throw new ConfigError(field, `has no entry named "${name}" (there are: ${known})`)
}

function refuseUnsupported(user: UserEntry, field: string): void {
  if (user.exec === undefined && user['auth-provider'] === undefined) return
  throw new ConfigError(field, 'gets its credential from a program, which is not supported', {
    fix: 'use a kubeconfig with a token or a client certificate, e.g. of a service account (kubectl create token)',
  })
}

async function pem(data: string | undefined, file: string | undefined, folder: string): Promise<string | undefined> {
  if (data !== undefined && data !== '') return Buffer.from(data, 'base64').toString('utf8')
  if (file === undefined || file === '') return undefined
  const path = absolute(file, folder)
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new ConfigError(path, `named in the kubeconfig, cannot be read (${errorCode(cause)})`, { cause })
  }
}

function absolute(path: string, folder: string): string {
  return isAbsolute(path) ? path : join(folder, path)
}
