import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { WebSocket } from 'ws'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'
import { channelOf, endSession, type FakeKubelet, frame, startFakeKubelet } from '../support/fake-kubelet.ts'
import { createKubectl, findKubectls, type Kubectl } from '../support/kubectl.ts'

const podOn = (name: string, node: string, containers = ['main']) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { nodeName: node, containers: containers.map((container) => ({ name: container, image: 'busybox' })) },
})

/** echo prints its words, cat gives back its input, exit ends with a code. */
function runCommand(url: URL, socket: WebSocket): void {
  const [program, ...words] = url.searchParams.getAll('command')
  if (program === 'echo') {
    socket.send(frame(1, `${words.join(' ')}\n`))
    endSession(socket, 0)
  } else if (program === 'exit') {
    socket.send(frame(2, 'going\n'))
    endSession(socket, Number(words[0]))
  } else if (program === 'cat') {
    socket.on('message', (data) => {
      const { channel, payload } = channelOf(data)
      if (channel === 0) socket.send(Buffer.concat([Buffer.from([1]), payload]))
      if (channel === 255) endSession(socket, 0)
    })
  }
}

describe.each(findKubectls())('kubectl $version', (binary) => {
  let api: TestApiServer
  let kubelet: FakeKubelet
  let kubectl: Kubectl

  beforeAll(async () => {
    let folder = ''
    api = await startTestApiServer({
      kubeletSocket: (node) => (node === 'unknown' ? undefined : join(folder, `${node}.sock`)),
    })
    folder = api.folder
    kubelet = await startFakeKubelet(join(folder, 'work01.sock'), {
      session: runCommand,
      logs: (url, response) => {
        if (url.searchParams.get('previous') === 'true') {
          response.writeHead(400).end('previous terminated container "main" in pod "web" not found')
          return
        }
        response.write('first line\n')
        response.end(`asked for ${url.pathname}\n`)
      },
    })
    kubectl = await createKubectl(binary, api.kubeconfig)
    const running = { status: { phase: 'Running' } }
    for (const pod of [
      podOn('web', 'work01'),
      podOn('two', 'work01', ['main', 'side']),
      podOn('lost', 'dead'),
      podOn('odd', 'unknown'),
      podOn('new', ''),
    ]) {
      await kubectl.withInput(pod, 'create', '-f', '-')
      const { name } = pod.metadata
      await kubectl('patch', 'pod', name, '--subresource=status', '-p', JSON.stringify(running))
    }
  })

  afterAll(async () => {
    await kubectl?.close()
    await kubelet?.close()
    await api?.stop()
  })

  it('exec runs a command in the pod’s node and prints what it prints', async () => {
    const { code, stdout } = await kubectl('exec', 'web', '--', 'echo', 'hello', 'a b')
    expect([code, stdout]).toEqual([0, 'hello a b\n'])
    expect(kubelet.asked.at(-1)).toMatch(/^\/exec\/default\/web\/main\?/)
  })

  it('exec hands over standard input, a megabyte of it, and ends when it ends', async () => {
    const input = 'x'.repeat(1024 * 1024)
    const { code, stdout } = await kubectl.withInput(input, 'exec', '-i', 'web', '--', 'cat')
    expect([code, stdout.length]).toEqual([0, input.length])
  })

  it('exec ends with the command’s exit code and prints its standard error', async () => {
    const { code, stderr } = await kubectl('exec', 'web', '--', 'exit', '3')
    expect(code).toBe(3)
    expect(stderr).toContain('going')
  })

  it('exec chooses the container that is named, and names the choices when it does not exist', async () => {
    await kubectl('exec', 'two', '-c', 'side', '--', 'echo')
    expect(kubelet.asked.at(-1)).toMatch(/^\/exec\/default\/two\/side\?/)
    const { code, stderr } = await kubectl('exec', 'two', '-c', 'nope', '--', 'echo')
    expect(code).not.toBe(0)
    expect(stderr).toContain('container nope is not valid for pod two: choose one of: [main side]')
  })

  it('exec says that there is no such pod, that it has no node yet, or which kubelet does not answer', async () => {
    expect((await kubectl('exec', 'nope', '--', 'ls')).stderr).toContain('pods "nope" not found')
    expect((await kubectl('exec', 'new', '--', 'ls')).stderr).toContain('pod new does not have a host assigned')
    expect((await kubectl('exec', 'lost', '--', 'ls')).stderr).toContain('cannot reach the kubelet of node dead')
    expect((await kubectl('exec', 'odd', '--', 'ls')).stderr).toContain('cannot reach the kubelet of node unknown')
  })

  it('logs streams what the kubelet has, with the options given, and passes its refusal on', async () => {
    const { stdout } = await kubectl('logs', 'web', '--tail=5', '--timestamps')
    expect(stdout).toBe('first line\nasked for /containerLogs/default/web/main\n')
    expect(kubelet.asked.at(-1)).toMatch(/tailLines=5/)
    expect(kubelet.asked.at(-1)).toMatch(/timestamps=true/)
    const { code, stderr } = await kubectl('logs', 'web', '--previous')
    expect(code).not.toBe(0)
    expect(stderr).toContain('previous terminated container "main" in pod "web" not found')
    expect((await kubectl('logs', 'two', '-c', 'nope')).stderr).toContain('container nope is not valid')
    expect((await kubectl('logs', 'lost')).stderr).toContain('cannot reach the kubelet of node dead')
  })

  it('port-forward is refused with a sentence that says what to do instead', async () => {
    const forwarding = kubectl.start('port-forward', 'web', ':80')
    const output = await forwarding.until((text) => text.includes('not supported'))
    forwarding.stop()
    expect(output).toContain('port-forward is not supported by the lab')
  })
})
