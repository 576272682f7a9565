import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { stringify } from 'yaml'
import type { ProcessConfig } from '../networks/process-config.ts'
import { admissionPort } from './admission.ts'
import { controlPlaneOf, type LabConfig, type LabNode, managementAddress } from './config.ts'
import { renderKubeconfig } from './kubeconfig.ts'
import type { LabPrograms } from './lab.ts'
import { nodeBinFolder } from './node/mounts.ts'
import type { Namespaces } from './node/namespaces.ts'
import type { Credential, Pki } from './pki.ts'

/** Paths in a node of what the lab writes there. */
export const nodeFiles = {
  processConfig: '/etc/twinlane/config.yaml',
  agentKubeconfig: '/etc/kubernetes/twinlane.kubeconfig',
  controllerConfig: '/etc/twinlane/controller.yaml',
  webhookCert: '/etc/twinlane/tls/tls.crt',
  webhookKey: '/etc/twinlane/tls/tls.key',
  controllerKubeconfig: '/etc/kubernetes/controller.kubeconfig',
  adminKubeconfig: '/etc/kubernetes/admin.conf',
  kubeletConfig: '/etc/kubernetes/kubelet.yaml',
  kubeletKubeconfig: '/etc/kubernetes/kubelet.kubeconfig',
  kubeletSocket: '/run/kubelet.sock',
  cniSocket: '/run/twinlane/cni.sock',
} as const

/** Port of the API server inside the control-plane node. */
export const apiPort = 6443

export interface NodeFilesOptions {
  config: LabConfig
  node: LabNode
  namespaces: Namespaces
  pki: Pki
  programs: LabPrograms
}

/** Writes the configuration of the agent, the kubelet and, on the control-plane node, the controller. */
export async function writeNodeFiles(options: NodeFilesOptions): Promise<void> {
  const { config, node, pki } = options
  const isControlPlane = node.name === config.controlPlane
  const files = new Map<string, string>([
    [nodeFiles.processConfig, stringify(processConfig(config, nodeFiles.agentKubeconfig, node))],
    [nodeFiles.agentKubeconfig, kubeconfigOf(config, pki, pki.agents.get(node.name))],
    [nodeFiles.kubeletConfig, stringify(kubeletConfig(config, node))],
    [nodeFiles.kubeletKubeconfig, kubeconfigOf(config, pki, pki.kubelets.get(node.name))],
  ])
  if (isControlPlane) {
    files.set(nodeFiles.controllerConfig, stringify(controllerConfig(config)))
    files.set(nodeFiles.webhookCert, pki.webhook.cert)
    files.set(nodeFiles.webhookKey, pki.webhook.key)
    files.set(nodeFiles.controllerKubeconfig, kubeconfigOf(config, pki, pki.controller))
    files.set(nodeFiles.adminKubeconfig, kubeconfigOf(config, pki, pki.admin))
  }
  for (const [path, text] of files) await writeInNode(options.namespaces, path, text)
  await writeWrapper(options)
}

/** `twinlane` in the node's PATH, talking to the cluster as its admin where there is the credential. */
async function writeWrapper({ namespaces, programs }: NodeFilesOptions): Promise<void> {
  const admin = nodeFiles.adminKubeconfig
  const script = [
    '#!/bin/sh',
    `if [ -z "$KUBECONFIG" ] && [ -e ${admin} ]; then export KUBECONFIG=${admin}; fi`,
    `exec '${programs.node}' '${programs.cli}' "$@"`,
  ]
  const path = `${nodeBinFolder}/twinlane`
  await writeInNode(namespaces, path, `${script.join('\n')}\n`)
  await chmod(`${namespaces.root}${path}`, 0o755)
}

async function writeInNode(namespaces: Namespaces, path: string, text: string): Promise<void> {
  const file = `${namespaces.root}${path}`
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text, { mode: 0o600 })
}

function kubeconfigOf(config: LabConfig, pki: Pki, user: Credential | undefined): string {
  const server = `https://${managementAddress(config, controlPlaneOf(config))}:${apiPort}`
  return renderKubeconfig({ labName: config.name, server, ca: pki.ca, user: user ?? pki.admin })
}

function processConfig(config: LabConfig, kubeconfig: string, node?: LabNode): ProcessConfig {
  const database = `tcp:${managementAddress(config, controlPlaneOf(config))}`
  return {
    ...(node === undefined ? {} : { nodeName: node.name }),
    kubeconfig,
    networks: {
      routed: config.routed,
      ovn: {
        ...config.ovn,
        // Else a service whose endpoints are addresses of eth0 would be sent to the next hop, which has no way to them.
        hostCidrs: [config.routed.ipPoolCidr],
        northbound: `${database}:6641`,
        southbound: `${database}:6642`,
        datapathType: 'netdev',
      },
    },
  }
}

function controllerConfig(config: LabConfig): ProcessConfig {
  const host = managementAddress(config, controlPlaneOf(config))
  const files = { certFile: nodeFiles.webhookCert, keyFile: nodeFiles.webhookKey }
  return {
    ...processConfig(config, nodeFiles.controllerKubeconfig),
    ...(config.admission ? { admission: { host, port: admissionPort, ...files } } : {}),
  }
}

function kubeletConfig(config: LabConfig, node: LabNode): object {
  const roles = node.name === config.controlPlane ? { 'node-role.kubernetes.io/control-plane': '' } : {}
  return {
    nodeName: node.name,
    kubeconfig: nodeFiles.kubeletKubeconfig,
    nodeIp: managementAddress(config, node),
    socket: nodeFiles.kubeletSocket,
    labels: { ...roles, ...node.labels },
    annotations: node.annotations,
  }
}
