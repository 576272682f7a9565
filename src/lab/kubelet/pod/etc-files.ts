import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HostAlias, PodSpec } from 'kubernetes-types/core/v1.js'
import type { Bind } from '../runtime/oci-spec.ts'

export interface EtcFacts {
  readonly hostname: string
  readonly podIps: readonly string[]
  readonly namespace: string
  readonly clusterDns: readonly string[]
  readonly clusterDomain: string
}

/** Writes the files under /etc that the node manages for all containers of a pod; returns them as bind mounts. */
export async function writeEtcFiles(spec: PodSpec, folder: string, facts: EtcFacts): Promise<Bind[]> {
  await mkdir(folder, { recursive: true })
  const nodeResolvers = await readFile('/etc/resolv.conf', 'utf8').catch(() => '')
  const files: Record<string, string> = {
    hostname: `${facts.hostname}\n`,
    'resolv.conf': renderResolvers(spec, facts, nodeResolvers),
    hosts: spec.hostNetwork === true ? await readFile('/etc/hosts', 'utf8') : renderHosts(facts, spec.hostAliases),
  }
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)))
  return Object.keys(files).map((name) => ({
    source: join(folder, name),
    destination: `/etc/${name}`,
    isReadOnly: false,
  }))
}

/** /etc/hosts as kubelets write it. */
export function renderHosts(facts: EtcFacts, aliases: readonly HostAlias[] = []): string {
  const own = facts.podIps.map((address) => `${address}\t${facts.hostname}`)
  const extra = aliases.map(({ ip, hostnames = [] }) => [ip, ...hostnames].join('\t'))
  return [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...own,
    ...extra,
    '',
  ].join('\n')
}

/** /etc/resolv.conf by the pod's dnsPolicy and dnsConfig; without a cluster resolver, the node's own. */
export function renderResolvers(spec: PodSpec, facts: EtcFacts, nodeResolvers: string): string {
  const policy = spec.dnsPolicy ?? 'ClusterFirst'
  const followsHost = policy === 'Default' || (policy === 'ClusterFirst' && spec.hostNetwork === true)
  const extra = renderDnsConfig(spec)
  if (policy === 'None') return extra
  if (followsHost || facts.clusterDns.length === 0) return `${nodeResolvers.trimEnd()}\n${extra}`
  const { namespace, clusterDomain: domain } = facts
  const search = `search ${namespace}.svc.${domain} svc.${domain} ${domain}`
  const servers = facts.clusterDns.map((address) => `nameserver ${address}`)
  return `${[search, ...servers, 'options ndots:5'].join('\n')}\n${extra}`
}

function renderDnsConfig({ dnsConfig }: PodSpec): string {
  const { nameservers = [], searches = [], options = [] } = dnsConfig ?? {}
  const lines = nameservers.map((address) => `nameserver ${address}`)
  if (searches.length > 0) lines.push(`search ${searches.join(' ')}`)
  const words = options.map(({ name, value }) => (value === undefined ? name : `${name}:${value}`))
  if (words.length > 0) lines.push(`options ${words.join(' ')}`)
  return lines.map((line) => `${line}\n`).join('')
}
