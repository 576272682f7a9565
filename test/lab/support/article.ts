import { readFileSync } from 'node:fs'

/** Text of a file of examples/article. */
export function articleFile(name: string): string {
  return readFileSync(new URL(`../../../examples/article/${name}`, import.meta.url), 'utf8')
}

export const articleFolder = new URL('../../../examples/article/', import.meta.url).pathname

/** A pod of busybox that sleeps; `networks` is the text of the networks annotation. */
export function sleepingPod(options: {
  name: string
  node: string
  networks?: string
  labels?: Record<string, string>
  command?: string
}): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: options.name,
      namespace: 'default',
      ...(options.labels === undefined ? {} : { labels: options.labels }),
      ...(options.networks === undefined ? {} : { annotations: { 'k8s.v1.cni.cncf.io/networks': options.networks } }),
    },
    spec: {
      terminationGracePeriodSeconds: 0,
      nodeSelector: { 'kubernetes.io/hostname': options.node },
      containers: [
        { name: 'busybox', image: 'busybox:1.28', command: ['/bin/sh', '-c', options.command ?? 'sleep 36000'] },
      ],
    },
  })
}

/** The annotation that puts a second interface on the article's OVN network and moves the default route there. */
export const eth1WithDefaultRoute = '[{"name": "yusur-ovn", "interface": "eth1", "default-route": ["10.144.0.1"]}]'
