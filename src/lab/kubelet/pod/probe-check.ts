import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import type { Container, HTTPGetAction, Probe } from 'kubernetes-types/core/v1.js'
import { withDeadline } from '../../../base/clock.ts'
import { describeError, TimeoutError } from '../../../base/errors.ts'
import type { ContainerRuntime } from '../runtime/runtime.ts'

export interface ProbeTarget {
  readonly containerId: string
  readonly container: Container
  readonly podIp: string
}

/** Asks once. Returns undefined when all is well, else the reason as the event Unhealthy gives it. Never throws. */
export async function checkProbe(
  probe: Probe,
  target: ProbeTarget,
  runtime: ContainerRuntime,
): Promise<string | undefined> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000
  try {
    return await withDeadline(ask(probe, target, runtime), { what: 'the probe', timeoutMs })
  } catch (error) {
    if (error instanceof TimeoutError) return `command timed out after ${timeoutMs / 1000}s`
    return describeError(error)
  }
}

function ask(probe: Probe, target: ProbeTarget, runtime: ContainerRuntime): Promise<string | undefined> {
  if (probe.exec !== undefined) return askProcess(probe.exec.command ?? [], target, runtime)
  if (probe.httpGet !== undefined) return askHttp(probe.httpGet, target)
  if (probe.tcpSocket !== undefined) {
    const { host, port } = probe.tcpSocket
    return askTcp(host ?? target.podIp, portOf(port, target.container))
  }
  return Promise.resolve(undefined)
}

async function askProcess(
  command: string[],
  target: ProbeTarget,
  runtime: ContainerRuntime,
): Promise<string | undefined> {
  const base = await runtime.readProcess(target.containerId)
  const process = { ...base, args: command, terminal: false }
  const child = await runtime.spawn(target.containerId, process, ['ignore', 'pipe', 'pipe'])
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(0, 10_240)
    })
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  return code === 0 ? undefined : output.trim() || `command "${command.join(' ')}" exited with ${code}`
}

function askHttp(action: HTTPGetAction, target: ProbeTarget): Promise<string | undefined> {
  const request = action.scheme === 'HTTPS' ? https.request : http.request
  const port = portOf(action.port, target.container)
  const headers = Object.fromEntries((action.httpHeaders ?? []).map(({ name, value }) => [name, value]))
  const options = { host: action.host ?? target.podIp, port, path: action.path ?? '/', headers, agent: false }
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, rejectUnauthorized: false }, (response) => {
      response.resume()
      const code = response.statusCode ?? 0
      resolve(code >= 200 && code < 400 ? undefined : `HTTP probe failed with statuscode: ${code}`)
    })
    sent.once('error', reject)
    sent.end()
  })
}

function askTcp(host: string, port: number): Promise<undefined> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port }, () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once('error', reject)
  })
}

/** A port is a number or the name of one of the container's ports. */
function portOf(port: number | string, container: Container): number {
  if (typeof port === 'number') return port
  const named = container.ports?.find((candidate) => candidate.name === port)?.containerPort
  const number = named ?? Number(port)
  if (!Number.isInteger(number)) throw new Error(`couldn't find port: "${port}" in the container's ports`)
  return number
}
