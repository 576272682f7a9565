import { X509Certificate } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exec } from '../base/exec.ts'
import { findFile, writeFileAtomic } from '../base/file.ts'
import { isAddress } from '../base/ip.ts'
import { controlPlaneOf, type LabConfig, managementAddress } from './config.ts'

/** A private key with its certificate, PEM. */
export interface Credential {
  readonly key: string
  readonly cert: string
}

/** The lab's own certificate authority and what it has signed. */
export interface Pki {
  /** PEM certificate of the authority. */
  readonly ca: string
  readonly server: Credential
  readonly admin: Credential
  readonly controller: Credential
  /** Of the controller's webhook, as a server. */
  readonly webhook: Credential
  /** By node name. */
  readonly kubelets: ReadonlyMap<string, Credential>
  readonly agents: ReadonlyMap<string, Credential>
}

interface CertificateRequest {
  name: string
  subject: string
  usage: 'serverAuth' | 'clientAuth'
  alternativeNames: readonly string[]
}

const validDays = 365
const remainingMs = 24 * 60 * 60 * 1000
const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** Makes the certificates, or takes those of an earlier start when they are for the same names and still valid. */
export async function ensurePki(folder: string, config: LabConfig, serviceAddress: string): Promise<Pki> {
  const requests = requestsOf(config, serviceAddress)
  const wanted = JSON.stringify(requests)
  if (!(await isValid(folder, wanted))) await makeAll(folder, requests, wanted)
  return await readPki(folder, config)
}

function requestsOf(config: LabConfig, serviceAddress: string): CertificateRequest[] {
  const controlPlane = controlPlaneOf(config)
  const serverNames = [
    '127.0.0.1',
    'localhost',
    managementAddress(config, controlPlane),
    controlPlane.name,
    serviceAddress,
  ]
  const clusterNames = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
  ]
  const client = (name: string, subject: string): CertificateRequest => ({
    name,
    subject,
    usage: 'clientAuth',
    alternativeNames: [],
  })
  return [
    {
      name: 'server',
      subject: '/CN=kube-apiserver',
      usage: 'serverAuth',
      alternativeNames: [...serverNames, ...clusterNames],
    },
    client('admin', '/O=system:masters/CN=admin'),
    client('controller', '/CN=twinlane-controller'),
    {
      name: 'webhook',
      subject: '/CN=twinlane-webhook',
      usage: 'serverAuth',
      alternativeNames: [managementAddress(config, controlPlane), 'twinlane-controller.kube-system.svc'],
    },
    ...config.nodes.map((node) => client(`kubelet-${node.name}`, `/O=system:nodes/CN=system:node:${node.name}`)),
    ...config.nodes.map((node) => client(`agent-${node.name}`, `/O=twinlane-agents/CN=twinlane-agent:${node.name}`)),
  ]
}

async function isValid(folder: string, wanted: string): Promise<boolean> {
  if ((await findFile(join(folder, 'requests.json'))) !== wanted) return false
  const server = await findFile(join(folder, 'server.crt'))
  return server !== undefined && Date.parse(new X509Certificate(server).validTo) > Date.now() + remainingMs
}

async function makeAll(folder: string, requests: readonly CertificateRequest[], wanted: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(join(folder, 'openssl.cnf'), opensslConfig(requests))
  await makeCertificate(folder, 'ca', '/CN=twinlane-lab-ca', [])
  const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key']
  await Promise.all(requests.map((request) => makeCertificate(folder, request.name, request.subject, signed)))
  await writeFileAtomic(join(folder, 'requests.json'), wanted)
}

async function makeCertificate(folder: string, name: string, subject: string, signing: string[]): Promise<void> {
  const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`, '-days', String(validDays)]
  const extensions = ['-config', 'openssl.cnf', '-extensions', name]
  await exec('openssl', ['req', '-x509', ...curve, '-subj', subject, ...files, ...extensions, ...signing], {
    cwd: folder,
  })
}

/** One section a certificate: Debian's own file would make every one of them an authority. */
function opensslConfig(requests: readonly CertificateRequest[]): string {
  const sections = requests.map((request) => [
    `[${request.name}]`,
    'basicConstraints = critical, CA:FALSE',
    'keyUsage = critical, digitalSignature',
    `extendedKeyUsage = ${request.usage}`,
    ...alternativeNames(request.alternativeNames),
  ])
  const authority = ['[ca]', 'basicConstraints = critical, CA:TRUE', 'keyUsage = critical, keyCertSign, cRLSign']
  return `${[['[req]', 'distinguished_name = dn', '[dn]'], authority, ...sections].flat().join('\n')}\n`
}

function alternativeNames(names: readonly string[]): string[] {
  if (names.length === 0) return []
  return [`subjectAltName = ${names.map((name) => `${isAddress(name) ? 'IP' : 'DNS'}:${name}`).join(', ')}`]
}

async function readPki(folder: string, config: LabConfig): Promise<Pki> {
  const read = async (name: string): Promise<Credential> => ({
    key: await readFile(join(folder, `${name}.key`), 'utf8'),
    cert: await readFile(join(folder, `${name}.crt`), 'utf8'),
  })
  const byNode = async (prefix: string): Promise<Map<string, Credential>> =>
    new Map(
      await Promise.all(config.nodes.map(async (node) => [node.name, await read(`${prefix}-${node.name}`)] as const)),
    )
  return {
    ca: await readFile(join(folder, 'ca.crt'), 'utf8'),
    server: await read('server'),
    admin: await read('admin'),
    controller: await read('controller'),
    webhook: await read('webhook'),
    kubelets: await byNode('kubelet'),
    agents: await byNode('agent'),
  }
}
