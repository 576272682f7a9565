import { mkdir, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TwinlaneError } from '../../../base/errors.ts'
import { ExecError, exec, spawnProcess } from '../../../base/exec.ts'
import type { Image } from './image.ts'
import { buildOciSpec, type ContainerSpec, type OciProcess } from './oci-spec.ts'
import { mount, unmount } from './syscalls.ts'

/** A running program, and what its descriptors may be. */
export type ChildProcess = ReturnType<typeof spawnProcess>
export type StdioOptions = NonNullable<NonNullable<Parameters<typeof spawnProcess>[2]>['stdio']>

/** The container's first process could not be started, e.g. no such executable. */
export class ContainerStartError extends TwinlaneError {}

/**
 * Containers through Debian's crun and conmon. conmon is each container's parent: it writes the log with timestamps and,
 * at the end, a file with the exit code. So containers neither need this process nor notice when it is killed.
 */
export class ContainerRuntime {
  readonly #runFolder: string

  constructor(runFolder: string) {
    this.#runFolder = runFolder
  }

  /** Folder in which a file named after the container appears when it has ended; its text is the exit code. */
  get exitFolder(): string {
    return join(this.#runFolder, 'exits')
  }

  rootfsOf(id: string): string {
    return join(this.#bundleOf(id), 'rootfs')
  }

  /** Socket (SOCK_SEQPACKET) on which conmon takes and gives the container's own streams. */
  attachSocketOf(id: string): string {
    return join(this.#bundleOf(id), 'attach')
  }

  /** Pipe on which conmon takes `1 ROWS COLUMNS` for a container with a terminal. */
  controlPipeOf(id: string): string {
    return join(this.#bundleOf(id), 'ctl')
  }

  async start(): Promise<void> {
    await Promise.all([this.exitFolder, this.#stateFolder].map((path) => mkdir(path, { recursive: true })))
    await ensureCgroupFolder()
  }

  /** Gives the container its own root file system: the image below, a private layer above. */
  async prepareRootfs(id: string, image: Image): Promise<void> {
    const bundle = this.#bundleOf(id)
    const [rootfs, upper, work] = ['rootfs', 'upper', 'work'].map((name) => join(bundle, name)) as [
      string,
      string,
      string,
    ]
    await Promise.all([rootfs, upper, work].map((path) => mkdir(path, { recursive: true })))
    const data = `lowerdir=${image.rootfs},upperdir=${upper},workdir=${work},volatile`
    mount({ type: 'overlay', source: 'overlay', target: rootfs, data })
  }

  /** Creates a container whose first process waits to be started. Throws ContainerStartError with the runtime's reason. */
  async create(spec: ContainerSpec, options: { logPath: string; keepsStdin: boolean }): Promise<void> {
    await Promise.all([
      writeFile(join(this.#bundleOf(spec.id), 'config.json'), JSON.stringify(buildOciSpec(spec))),
      mkdir(dirname(options.logPath), { recursive: true }),
    ])
    const answer = await runConmon(this.#conmonArgs(spec, options))
    if (answer.pid < 0) throw new ContainerStartError(answer.message?.trim() ?? 'the runtime gave no reason')
  }

  /** Lets the first process of a created container run. Throws ContainerStartError. */
  async startProcess(id: string): Promise<void> {
    try {
      await this.#crun(['start', id])
    } catch (error) {
      throw new ContainerStartError(reasonOf(error), { cause: error })
    }
  }

  /** Sends a signal to the container's first process. False when there is no such process any more. */
  async kill(id: string, signalName: string): Promise<boolean> {
    try {
      await this.#crun(['kill', id, signalName])
      return true
    } catch (error) {
      ignoreGone(error)
      return false
    }
  }

  /** Removes all that is left of a container, ending it if need be. Its exit file stays until forget(). */
  async remove(id: string): Promise<void> {
    await this.#crun(['delete', '--force', id]).catch(ignoreGone)
    unmount(this.rootfsOf(id))
    await rm(this.#bundleOf(id), { recursive: true, force: true })
  }

  async forget(id: string): Promise<void> {
    await rm(join(this.exitFolder, id), { force: true })
  }

  /** Ids of all containers of which anything is left on this node. */
  async list(): Promise<string[]> {
    const { stdout } = await this.#crun(['list', '--quiet'])
    return stdout.split('\n').filter((line) => line !== '')
  }

  /** Whether the container's first process lives. */
  async isRunning(id: string): Promise<boolean> {
    const result = await this.#crun(['state', id]).catch(() => undefined)
    return result !== undefined && JSON.parse(result.stdout).status === 'running'
  }

  /** The process of a container's configuration, as the base of one that is added to it. */
  async readProcess(id: string): Promise<OciProcess> {
    return JSON.parse(await readFile(join(this.#bundleOf(id), 'config.json'), 'utf8')).process
  }

  /** Starts another process in a container. */
  async spawn(id: string, process: OciProcess, stdio: StdioOptions): Promise<ChildProcess> {
    const path = join(this.#runFolder, 'exec', `${id.slice(0, 12)}-${Math.random().toString(36).slice(2)}.json`)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, JSON.stringify(process))
    const args = [...this.#crunOptions, 'exec', '--process', path, id]
    // crun relays between its own terminal and the container's, and hears of a new size only from a controlling one.
    const child = process.terminal
      ? spawnProcess('setsid', ['--ctty', 'crun', ...args], { stdio })
      : spawnProcess('crun', args, { stdio })
    child.once('close', () => void rm(path, { force: true }))
    return child
  }

  get #stateFolder(): string {
    return join(this.#runFolder, 'crun')
  }

  get #crunOptions(): string[] {
    return [`--root=${this.#stateFolder}`, '--cgroup-manager=disabled']
  }

  #bundleOf(id: string): string {
    return join(this.#runFolder, 'containers', id)
  }

  #crun(args: string[]): Promise<{ stdout: string }> {
    return exec('crun', [...this.#crunOptions, ...args])
  }

  #conmonArgs(spec: ContainerSpec, options: { logPath: string; keepsStdin: boolean }): string[] {
    const bundle = this.#bundleOf(spec.id)
    return [
      ...['--cid', spec.id, '--cuuid', spec.id, '--name', spec.id, '--bundle', bundle],
      ...['--runtime', '/usr/bin/crun', ...this.#crunOptions.flatMap((option) => ['--runtime-arg', option])],
      ...['--container-pidfile', join(bundle, 'pid'), '--exit-dir', this.exitFolder],
      ...['--log-path', `k8s-file:${options.logPath}`, '--log-level', 'error'],
      ...['--socket-dir-path', bundle, '--full-attach'],
      ...(spec.isTerminal ? ['--terminal'] : []),
      ...(options.keepsStdin ? ['--stdin', '--leave-stdin-open'] : []),
    ]
  }
}

interface ConmonAnswer {
  /** Negative on failure. */
  pid: number
  message?: string
}

/** conmon goes into the background by itself and tells on descriptor 3 how the creation went. */
async function runConmon(args: string[]): Promise<ConmonAnswer> {
  const child = spawnProcess('conmon', args, {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', _OCI_SYNCPIPE: '3' },
  })
  const pipe = child.stdio[3]
  return new Promise((resolve, reject) => {
    let text = ''
    child.once('error', (cause) =>
      reject(new TwinlaneError('conmon cannot be run', { fix: 'install the Debian package conmon', cause })),
    )
    pipe?.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (!text.includes('\n')) return
      pipe.destroy()
      resolve(JSON.parse(text))
    })
    pipe?.once('end', () => reject(new TwinlaneError('conmon ended without an answer')))
  })
}

/**
 * crun 1.8 looks at the type of /sys/fs/cgroup even when it is told to leave cgroups alone, and refuses a fresh sysfs
 * and the mixed layout of version 1 and 2. An empty tmpfs there satisfies it; a proper cgroup2 mount is left alone.
 */
async function ensureCgroupFolder(): Promise<void> {
  const [cgroup2, tmpfs] = [0x63677270, 0x01021994]
  const { type } = await statfs('/sys/fs/cgroup')
  const isMixed = (await statfs('/sys/fs/cgroup/unified').catch(() => undefined))?.type === cgroup2
  if (type === cgroup2 || (type === tmpfs && !isMixed)) return
  mount({ type: 'tmpfs', source: 'cgroup', target: '/sys/fs/cgroup' })
}

function ignoreGone(error: unknown): void {
  if (
    error instanceof ExecError &&
    /does not exist|not running|No such (process|file)|error opening file/i.test(error.message)
  )
    return
  throw error
}

function reasonOf(error: unknown): string {
  return error instanceof ExecError ? error.stderr.trim() || error.message : String(error)
}
