import { stringify } from 'yaml'
import type { Credential } from './pki.ts'

/** Name of the lab's cluster, user and context in kubeconfig files: how we know a file of ours. */
export function contextName(labName: string): string {
  return `twinlane-lab-${labName}`
}

/** Text of a kubeconfig file with everything inside. */
export function renderKubeconfig(options: { labName: string; server: string; ca: string; user: Credential }): string {
  const name = contextName(options.labName)
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: options.server, 'certificate-authority-data': base64(options.ca) } }],
    users: [
      {
        name,
        user: { 'client-certificate-data': base64(options.user.cert), 'client-key-data': base64(options.user.key) },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  })
}

/** Whether a kubeconfig file was written by a lab, so that it may be replaced and removed. */
export function isLabKubeconfig(text: string): boolean {
  return /^current-context: twinlane-lab-/m.test(text)
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
