import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { silentLog } from '../../src/base/log.ts'
import { createKubeClient } from '../../src/kube/client.ts'
import { loadKubeConfig } from '../../src/kube/kubeconfig.ts'
import { startEndpointSliceController } from '../../src/lab/control-plane/endpoint-slice-controller.ts'
import { startScheduler } from '../../src/lab/control-plane/scheduler.ts'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'

/** Versioned binaries: a kubectl on the PATH may be a dispatcher that looks for another one. */
const kubectls = findKubectls()

function findKubectls(): string[] {
  const found = spawnSync('sh', ['-c', 'readlink -f "$(command -v kubectl)"'], { encoding: 'utf8' }).stdout.trim()
  if (found === '') return []
  const folder = dirname(found)
  const versioned = readdirSync(folder).filter((name) => /^kubectl\.1\.\d+$/.test(name) && name >= 'kubectl.1.30')
  return versioned.length === 0 ? [found] : [versioned[0], versioned.at(-1)].map((name) => join(folder, name ?? ''))
}

const podText = stringify({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'box', labels: { app: 'box' } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: 'busybox:1.28',
        command: ['sh', '-c', 'echo hello; sleep 1000'],
        ports: [{ name: 'web', containerPort: 80 }],
      },
    ],
  },
})
const serviceText = stringify({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'box' },
  spec: { selector: { app: 'box' }, ports: [{ port: 8080, targetPort: 'web' }] },
})

let api: TestApiServer
let kubelet: ChildProcess
const stop = new AbortController()
const at = (name: string): string => join(api.folder, name)

function kubectl(args: string[], options: { binary?: string; input?: string | Buffer } = {}) {
  const env = { PATH: process.env.PATH, HOME: api.folder, KUBECONFIG: api.kubeconfig }
  const [binary = options.binary ?? ''] = options.binary === undefined ? kubectls : [options.binary]
  const result = spawnAsync(binary, args, { env, input: options.input })
  return result
}

function spawnAsync(
  command: string,
  args: string[],
  options: { env: NodeJS.ProcessEnv; input?: string | Buffer | undefined },
) {
  const child = spawn(command, args, { env: options.env, stdio: ['pipe', 'pipe', 'pipe'] })
  const [out, errors]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (chunk) => out.push(chunk))
  child.stderr.on('data', (chunk) => errors.push(chunk))
  child.stdin.on('error', () => {})
  child.stdin.end(options.input)
  return new Promise<{ code: number | null; stdout: Buffer; stderr: string }>((resolve) =>
    child.once('close', (code) =>
      resolve({ code, stdout: Buffer.concat(out), stderr: Buffer.concat(errors).toString() }),
    ),
  )
}

function startKubelet(): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', 'src/bin/kubelet.ts', '--config', at('kubelet.yaml')], {
    stdio: 'ignore',
  })
}

beforeAll(async () => {
  api = await startTestApiServer({ kubeletSocket: () => at('kubelet.sock') })
  for (const name of ['bin', 'net.d', 'cni']) mkdirSync(at(name))
  copyFileSync('test/fixtures/cni/scripted.sh', at('bin/scripted'))
  writeFileSync(
    at('net.d/10-net.conf'),
    JSON.stringify({ cniVersion: '1.0.0', name: 'net', type: 'scripted', folder: at('cni') }),
  )
  const folders = {
    rootFolder: at('root'),
    runFolder: at('run'),
    logFolder: at('log'),
    cniBinFolder: at('bin'),
    cniConfFolder: at('net.d'),
    imageFolder: at('images'),
  }
  writeFileSync(
    at('kubelet.yaml'),
    stringify({
      nodeName: 'work01',
      kubeconfig: api.kubeconfig,
      nodeIp: '127.0.0.1',
      socket: at('kubelet.sock'),
      ...folders,
    }),
  )
  const kube = createKubeClient(await loadKubeConfig(api.kubeconfig))
  await startScheduler({ kube, log: silentLog }, stop.signal)
  await startEndpointSliceController({ kube, log: silentLog }, stop.signal)
  kubelet = startKubelet()
  writeFileSync(at('pod.yaml'), podText)
  writeFileSync(at('service.yaml'), serviceText)
})

afterAll(async () => {
  await kubectl(['delete', 'pod', '--all', '--grace-period=0', '--force'])
  for (let tries = 0; tries < 100 && readdirSync(at('root/sandboxes')).length > 0; tries++)
    await new Promise((resolve) => setTimeout(resolve, 50))
  kubelet.kill('SIGTERM')
  stop.abort()
  await api.stop()
})

describe.skipIf(kubectls.length === 0)('kubectl', () => {
  it('applies a pod and sees it ready, with its node and a service that has it as endpoint', async () => {
    const applied = await kubectl(['apply', '-f', at('pod.yaml'), '-f', at('service.yaml')])
    expect(applied.stderr).toBe('')
    const waited = await kubectl(['wait', '--for=condition=Ready', 'pod/box', '--timeout=15s'])
    expect(waited.stdout.toString()).toContain('condition met')
    const wide = await kubectl(['get', 'pod', 'box', '-o', 'wide', '--no-headers'])
    expect(wide.stdout.toString()).toMatch(/^box\s+1\/1\s+Running\s+0\s+\S+\s+10\.9\.0\.7\s+work01/)
    const ports = '{.items[0].endpoints[0].addresses[0]}:{.items[0].ports[0].port}'
    const slice = await kubectl([
      'get',
      'endpointslices',
      '-l',
      'kubernetes.io/service-name=box',
      '-o',
      `jsonpath=${ports}`,
    ])
    expect(slice.stdout.toString()).toBe('10.9.0.7:80')
    const logs = await kubectl(['logs', 'box'])
    expect(logs.stdout.toString()).toBe('hello\n')
  })

  it.each(kubectls)('%s execs: output, exit codes, a terminal', async (binary) => {
    const failed = await kubectl(['exec', 'box', '--', 'sh', '-c', 'echo out; exit 3'], { binary })
    expect(failed).toMatchObject({ code: 3 })
    expect(failed.stdout.toString()).toBe('out\n')
    expect(failed.stderr).toBe('command terminated with exit code 3\n')
    const address = await kubectl(['exec', '-it', 'box', '--', 'ip', 'addr'], { binary })
    expect(address.stdout.toString()).toContain('eth0@')
  })

  it.each(kubectls)('%s carries 1 MB in and out', async (binary) => {
    const bytes = Buffer.alloc(1 << 20, '0123456789abcdef')
    const echoed = await kubectl(['exec', '-i', 'box', '--', 'cat'], { binary, input: bytes })
    expect(echoed.code).toBe(0)
    expect(echoed.stdout.equals(bytes)).toBe(true)
    writeFileSync(at('file'), bytes)
    expect(await kubectl(['cp', at('file'), 'box:/tmp/file'], { binary })).toMatchObject({ code: 0 })
    expect(await kubectl(['cp', 'box:/tmp/file', at('back')], { binary })).toMatchObject({ code: 0 })
    execFileSync('cmp', [at('file'), at('back')])
  })

  it('describes the events in their order', async () => {
    const described = await kubectl(['describe', 'pod', 'box'])
    const text = described.stdout.toString()
    expect(text).toContain('Successfully assigned default/box to work01')
    expect(text.slice(text.indexOf('Events:'))).toMatch(
      /Scheduled[\s\S]*Pulled[\s\S]*Created[\s\S]*Started container main/,
    )
  })

  it('sees nothing of a kubelet that is killed and starts again', async () => {
    const before = await kubectl(['get', 'pod', 'box', '-o', 'jsonpath={.status.containerStatuses}'])
    kubelet.kill('SIGKILL')
    await new Promise((resolve) => kubelet.once('exit', resolve))
    kubelet = startKubelet()
    await kubectl(['apply', '-f', '-'], { input: podText.replace('name: box', 'name: second') })
    await kubectl(['wait', '--for=condition=Ready', 'pod/second', '--timeout=15s'])
    const after = await kubectl(['get', 'pod', 'box', '-o', 'jsonpath={.status.containerStatuses}'])
    expect(after.stdout.toString()).toBe(before.stdout.toString())
    expect((await kubectl(['exec', 'box', '--', 'echo', 'alive'])).stdout.toString()).toBe('alive\n')
  })

  it('deletes a pod and waits until nothing of it is left', async () => {
    const deleted = await kubectl(['delete', 'pod', 'box', 'second', '--wait'])
    expect(deleted.code).toBe(0)
    expect(readdirSync(at('root/sandboxes'))).toEqual([])
    expect(readdirSync(at('run/containers'))).toEqual([])
    expect(existsSync(at('run/exits')) && readdirSync(at('run/exits'))).toEqual([])
  })
})
