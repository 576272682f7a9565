import * as z from 'zod'
import { parseSchema } from '../../base/parse-schema.ts'

const taint = z.strictObject({
  key: z.string().min(1),
  value: z.string().optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
})

const kubeletConfig = z.strictObject({
  nodeName: z.string().min(1),
  /** Path of a kubeconfig file. */
  kubeconfig: z.string().min(1),
  nodeIp: z.union([z.ipv4(), z.ipv6()]),
  /** Unix socket on which logs, exec and attach are served to the API server. */
  socket: z.string().min(1),
  rootFolder: z.string().default('/var/lib/kubelet'),
  /** What may vanish with the node: mounts, the runtime's state, exit files. */
  runFolder: z.string().default('/run/kubelet'),
  logFolder: z.string().default('/var/log/pods'),
  netnsFolder: z.string().default('/run/netns'),
  cniBinFolder: z.string().default('/opt/cni/bin'),
  cniConfFolder: z.string().default('/etc/cni/net.d'),
  /** On a tmpfs, since overlays can be stacked only twice and a node's /var is one. */
  imageFolder: z.string().default('/run/kubelet/images'),
  /** Resolvers for pods with dnsPolicy ClusterFirst; without any, pods get the node's own. */
  clusterDns: z.array(z.string()).default([]),
  clusterDomain: z.string().default('cluster.local'),
  labels: z.record(z.string(), z.string()).default({}),
  /** Annotations that the Node object is created with; later they belong to whoever writes them. */
  annotations: z.record(z.string(), z.string()).default({}),
  taints: z.array(taint).default([]),
  heartbeatSeconds: z.number().positive().default(30),
  /** First and longest pause before a crashed container starts again. */
  restartBackoffSeconds: z.number().positive().default(10),
  maxRestartBackoffSeconds: z.number().positive().default(300),
})

/** What the node's stand-in for the kubelet reads from its configuration file. */
export type KubeletConfig = z.output<typeof kubeletConfig>

/** Checks a configuration and fills in the defaults. Throws ConfigError that names the field. */
export function parseKubeletConfig(raw: unknown): KubeletConfig {
  return parseSchema(kubeletConfig, raw, {
    whole: 'kubelet configuration',
    fix: 'Correct this field in the file that --config names.',
  })
}
