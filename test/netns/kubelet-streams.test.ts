import http from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { KubeletBed } from '../support/kubelet.ts'

interface Command {
  send(channel: number, bytes: string | Buffer): void
  received: Record<number, Buffer[]>
  /** The Status of the error channel. */
  ended: Promise<{ status: string; message?: string; details?: { causes: { message: string }[] } }>
}

const bed = new KubeletBed()

function open(path: string, query: string, protocol = 'v5.channel.k8s.io'): Promise<Command> {
  const socket = new WebSocket(`ws+unix://${bed.config.socket}:${path}?${query}`, protocol)
  const received: Record<number, Buffer[]> = { 1: [], 2: [], 3: [] }
  socket.on('message', (data: Buffer) => received[data[0] ?? 0]?.push(data.subarray(1)))
  const ended = new Promise<never>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('close', () => resolve(JSON.parse(Buffer.concat(received[3] ?? []).toString()) as never))
  })
  const send = (channel: number, bytes: string | Buffer): void =>
    socket.send(Buffer.concat([Buffer.from([channel]), Buffer.from(bytes)]))
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve({ send, received, ended }))
    socket.once('error', reject)
  })
}

function exec(command: string[], query = 'stdout=true&stderr=true'): Promise<Command> {
  return open(
    '/exec/default/box/main',
    `${command.map((word) => `command=${encodeURIComponent(word)}`).join('&')}&${query}`,
  )
}

function stdoutOf(command: Command): string {
  return Buffer.concat(command.received[1] ?? []).toString()
}

async function logs(pod: string, query = ''): Promise<{ statusCode: number; body: string }> {
  return new Promise((resolve, reject) => {
    const path = `/containerLogs/default/${pod}/main?${query}`
    http.get({ socketPath: bed.config.socket, path }, (response) => {
      text(response).then((body) => resolve({ statusCode: response.statusCode ?? 0, body }), reject)
    })
  })
}

beforeAll(async () => {
  bed.configureNetwork()
  await bed.start()
  const script = 'echo one; echo two >&2; printf three; while read line; do echo "got $line"; done; sleep 1000'
  await bed.createPod('box', { containers: [bed.shell(script, { stdin: true })] })
  await bed.waitForPhase('box', 'Running')
})
afterAll(() => bed.destroy())

describe('exec', () => {
  it('gives both outputs and the exit code', async () => {
    const command = await exec(['sh', '-c', 'echo out; echo err >&2; exit 3'])
    const status = await command.ended
    expect(stdoutOf(command)).toBe('out\n')
    expect(Buffer.concat(command.received[2] ?? []).toString()).toBe('err\n')
    expect(status).toMatchObject({ status: 'Failure', reason: 'NonZeroExitCode' })
    expect(status.details?.causes[0]?.message).toBe('3')
  })

  it('succeeds with code 0, and lets the process reopen its output', async () => {
    const command = await exec(['sh', '-c', 'echo reopened > /dev/stdout'])
    expect(await command.ended).toMatchObject({ status: 'Success' })
    expect(stdoutOf(command)).toBe('reopened\n')
  })

  it('carries 3 MB both ways unchanged and ends standard input when the client says so', async () => {
    const bytes = Buffer.alloc(3_000_000, 'abcdefghijklmnop\n')
    const command = await exec(['sh', '-c', 'cat; echo done'], 'stdin=true&stdout=true&stderr=true')
    for (let at = 0; at < bytes.length; at += 32_768) command.send(0, bytes.subarray(at, at + 32_768))
    command.send(255, Buffer.from([0]))
    expect(await command.ended).toMatchObject({ status: 'Success' })
    const got = Buffer.concat(command.received[1] ?? [])
    expect(got.length).toBe(bytes.length + 5)
    expect(got.subarray(0, bytes.length).equals(bytes)).toBe(true)
  })

  it('gives a terminal that knows its size and hears of a new one', async () => {
    const command = await exec(['sh'], 'stdin=true&stdout=true&tty=true')
    command.send(4, '{"Width":111,"Height":33}')
    await bed.until(() => stdoutOf(command).includes('#'), 'a prompt')
    command.send(0, 'tty && stty size; exit 5\n')
    const status = await command.ended
    expect(stdoutOf(command)).toMatch(/\/dev\/pts\/\d+\s+33 111/)
    expect(status.details?.causes[0]?.message).toBe('5')
  })

  it('speaks v4 too, and says which container is not there', async () => {
    const v4 = await open('/exec/default/box/main', 'command=true&stdout=true', 'v4.channel.k8s.io')
    expect(await v4.ended).toMatchObject({ status: 'Success' })
    const missing = await open('/exec/default/box/other', 'command=true&stdout=true')
    expect((await missing.ended).message).toContain('"other"')
  })

  it('fails with code 127 and the name for a program that is not there', async () => {
    const command = await exec(['no-such-program'])
    const status = await command.ended
    expect(status.status).toBe('Failure')
    expect(Buffer.concat(command.received[2] ?? []).toString()).toContain('no-such-program')
  })
})

describe('attach', () => {
  it('joins the streams of the container itself', async () => {
    const attached = await open('/attach/default/box/main', 'stdin=true&stdout=true&stderr=true')
    attached.send(0, 'hello\n')
    await bed.until(() => stdoutOf(attached).includes('got hello'), 'the echo')
  })
})

describe('logs', () => {
  it('hold both streams in order, partial lines too', async () => {
    await bed.createPod('talk', {
      restartPolicy: 'Never',
      containers: [bed.shell('echo one; sleep 0.1; echo two >&2; sleep 0.1; printf three')],
    })
    await bed.waitForPhase('talk', 'Succeeded')
    expect(await logs('talk')).toEqual({ statusCode: 200, body: 'one\ntwo\nthree' })
    expect((await logs('talk', 'tailLines=2')).body).toBe('two\nthree')
    expect((await logs('talk', 'limitBytes=5')).body).toBe('one\nt')
    expect((await logs('talk', 'timestamps=true&tailLines=1')).body).toMatch(/^\d{4}-\d\d-\d\dT\S+ three$/)
    expect((await logs('talk', 'sinceSeconds=3600&follow=true')).body).toBe('one\ntwo\nthree')
  })

  it('are followed until the container ends', async () => {
    await bed.createPod('count', {
      restartPolicy: 'Never',
      containers: [bed.shell('for n in 1 2 3; do echo $n; sleep 0.2; done')],
    })
    await bed.waitForPhase('count', 'Running')
    expect((await logs('count', 'follow=true')).body).toBe('1\n2\n3\n')
  })

  it('say why there are none', async () => {
    await bed.createPod('nginx', { containers: [{ name: 'main', image: 'nginx' }] })
    await bed.waitForPod(
      'nginx',
      (pod) => pod.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'ErrImagePull' || undefined,
      'ErrImagePull',
    )
    const answer = await logs('nginx')
    expect(answer).toMatchObject({ statusCode: 400 })
    expect(answer.body).toContain('container "main" in pod "nginx" is waiting to start: ErrImagePull')
    expect(await logs('nobody')).toMatchObject({ statusCode: 404 })
  })
})
