import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Server, ServerCredentials, type ServiceDefinition, status } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

/** Devices of one pod as the kubelet tells them. */
export interface TestPodResources {
  readonly name: string
  readonly namespace: string
  readonly devices: readonly { readonly resourceName: string; readonly deviceIds: readonly string[] }[]
}

const proto = new URL('../fixtures/podresources.proto', import.meta.url).pathname
const service = loadSync(proto)['v1.PodResourcesLister'] as ServiceDefinition

/** A podresources server on the socket of a kubelet's folder, with the gRPC library that others use. */
export async function serveKubeletResources(
  folder: string,
  pods: readonly TestPodResources[] | Error,
): Promise<{ close(): void }> {
  await mkdir(join(folder, 'pod-resources'), { recursive: true })
  const server = new Server()
  server.addService(service, {
    List: (_call: unknown, done: (error: object | null, answer?: object) => void) => {
      if (pods instanceof Error) done({ code: status.RESOURCE_EXHAUSTED, details: pods.message })
      else done(null, { podResources: pods.map(buildPod) })
    },
  })
  const address = `unix:${join(folder, 'pod-resources/kubelet.sock')}`
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()))
  })
  return { close: () => server.forceShutdown() }
}

function buildPod({ name, namespace, devices }: TestPodResources): object {
  const topology = { nodes: [{ ID: -1 }] }
  const containers = devices.map((device) => ({
    name: 'c',
    cpuIds: [1, 2 ** 40],
    devices: [{ ...device, topology }],
  }))
  return { name, namespace, containers }
}
