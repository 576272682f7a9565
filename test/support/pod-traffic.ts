import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import type { TestPod } from './ovn-cluster.ts'

/** Never blocks this process, in which controller and agents run. */
export async function inPod(pod: { netns: string }, ...command: string[]): Promise<string> {
  return (await promisify(execFile)('nsenter', [`--net=${pod.netns}`, ...command])).stdout
}

/** Tunnels and neighbours are looked up at the first packet, so the first answer may be late. */
export async function canPing(from: { netns: string }, to: string, seconds = 5): Promise<boolean> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
    try {
      await inPod(from, 'busybox', 'ping', '-q', '-c', '1', '-W', '1', to)
      return true
    } catch {}
  }
  return false
}

/** What ping says of 5 packets over a path that is warm. */
export async function pingFive(from: { netns: string }, to: string): Promise<string> {
  try {
    return await inPod(from, 'busybox', 'ping', '-q', '-c', '5', '-i', '0.05', '-w', '3', to)
  } catch (error) {
    return String((error as { stdout: string }).stdout)
  }
}

/** Sends 1 MB by TCP and returns the peer's address as the server sees it. */
export async function sendMegabyte(
  from: { netns: string },
  server: { netns: string },
  to: string,
  port = 5201,
): Promise<string> {
  const listening = spawn('nsenter', [`--net=${server.netns}`, 'iperf3', '-s', '-1', '-J', '-p', '5201'])
  let output = ''
  listening.stdout.on('data', (chunk) => {
    output += String(chunk)
  })
  const ended = once(listening, 'close')
  await listens(server, 5201)
  await inPod(from, 'iperf3', '-c', to, '-p', String(port), '-n', '1M', '--connect-timeout', '3000')
  await ended
  const report = JSON.parse(output) as { start: { connected: { remote_host: string }[] } }
  return report.start.connected[0]!.remote_host
}

export async function listens(server: { netns: string }, port: number): Promise<void> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  for (let n = 0; n < 300; n++) {
    if (new RegExp(`:${hex} [0-9A-F:]+ 0A`).test(await inPod(server, 'cat', '/proc/net/tcp', '/proc/net/tcp6'))) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`nothing listens on ${port}`)
}

/** Answers each connection to port 8080, of either family, with the pod's name and closes. The caller ends it. */
export async function serveName(pod: TestPod): Promise<ChildProcess> {
  const script = `require('net').createServer((socket) => socket.end('${pod.name}')).listen(8080, '::')`
  const server = spawn('nsenter', [`--net=${pod.netns}`, process.execPath, '-e', script], { stdio: 'ignore' })
  await listens(pod, 8080)
  return server
}

/** What so many connections, one after the other, are answered; the code of the error where one fails. */
export async function ask(client: { netns: string }, address: string, count: number, port = 80): Promise<string[]> {
  const script = `
    const net = require('net')
    const ask = () => new Promise((resolve) => {
      const socket = net.connect(${port}, '${address}')
      let text = ''
      socket.setTimeout(8000, () => { socket.destroy(); resolve('ETIMEDOUT') })
      socket.on('data', (chunk) => { text += chunk })
      socket.on('error', (error) => resolve(error.code))
      socket.on('close', () => resolve(text))
    })
    ;(async () => {
      const answers = []
      for (let n = 0; n < ${count}; n++) answers.push(await ask())
      console.log(JSON.stringify(answers))
    })()`
  return JSON.parse(await inPod(client, process.execPath, '-e', script)) as string[]
}
