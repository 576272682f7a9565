import { describeError, TwinlaneError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Changing, Unsubscribe } from '../base/observable.ts'
import { runAll } from '../base/undo.ts'
import type { LabConfig } from './config.ts'
import { fabricName } from './config-checks.ts'
import type { Namespaces } from './node/namespaces.ts'
import type { ProcessId } from './node/process-id.ts'
import { Progress } from './progress.ts'
import type { StateFolder } from './state-folder.ts'
import type { LabPhase, LabStatus, NodeStatus } from './status.ts'
import type { SupervisedProcess } from './supervised-process.ts'

/** The bundled programs that run in nodes: absolute paths. */
export interface LabPrograms {
  readonly node: string
  readonly agent: string
  readonly controller: string
  readonly kubelet: string
  readonly cli: string
  readonly shim: string
  /** Folder that holds them and the modules they load; it must be visible in the nodes. */
  readonly packageFolder: string
}

/** A lab as the supervisor holds it: what there is, what it does, and how to take it down again. */
export class Lab implements Changing {
  readonly config: LabConfig
  readonly state: StateFolder
  readonly programs: LabPrograms
  readonly log: Log
  readonly supervisor: ProcessId
  readonly progress = new Progress()
  readonly namespaces = new Map<string, Namespaces>()
  readonly processes: SupervisedProcess[] = []
  readonly readyNodes = new Set<string>()
  #phase: LabPhase = 'starting'
  #error: LabStatus['error']
  #api: readonly string[] = []
  readonly #teardown: { what: string; run: () => Promise<void> }[] = []

  constructor(facts: {
    config: LabConfig
    state: StateFolder
    programs: LabPrograms
    log: Log
    supervisor: ProcessId
  }) {
    this.config = facts.config
    this.state = facts.state
    this.programs = facts.programs
    this.log = facts.log
    this.supervisor = facts.supervisor
  }

  onChange(listener: () => void): Unsubscribe {
    return this.progress.onChange(listener)
  }

  set phase(phase: LabPhase) {
    this.#phase = phase
    this.progress.touch()
  }

  set api(urls: readonly string[]) {
    this.#api = urls
    this.progress.touch()
  }

  setReadyNodes(names: Iterable<string>): void {
    this.readyNodes.clear()
    for (const name of names) this.readyNodes.add(name)
    this.progress.touch()
  }

  fail(error: unknown): void {
    const fix = error instanceof TwinlaneError ? error.fix : undefined
    this.#error = { message: describeError(error), ...(fix === undefined ? {} : { fix }) }
    this.phase = 'failed'
  }

  /** The namespaces of a node. Throws when they are not made yet. */
  node(name: string): Namespaces {
    const found = this.namespaces.get(name)
    if (found === undefined) throw new TwinlaneError(`the namespaces of ${name} are not there`)
    return found
  }

  /** What to do when the lab goes down; the newest is done first. */
  onTakeDown(what: string, run: () => Promise<void>): void {
    this.#teardown.push({ what, run })
  }

  /** Undoes everything, newest first, whatever fails on the way. Safe to repeat. */
  async takeDown(): Promise<void> {
    const steps = this.#teardown.splice(0).reverse()
    await runAll(
      'taking the lab down',
      steps.map((step) => async () => {
        this.log.info({ step: step.what }, 'taking down')
        await this.progress.step(step.what, step.run)
      }),
    )
  }

  async snapshot(): Promise<LabStatus> {
    const fabric = this.namespaces.get(fabricName)
    return {
      name: this.config.name,
      phase: this.#phase,
      supervisor: this.supervisor,
      config: this.config,
      stateFolder: this.state.folder,
      kubeconfig: this.state.kubeconfig,
      api: this.#api,
      nodes: this.#nodeStatuses(),
      ...(fabric === undefined ? {} : { fabric: fabric.init }),
      processes: await Promise.all(this.processes.map((each) => each.status())),
      steps: this.progress.steps,
      ...(this.#error === undefined ? {} : { error: this.#error }),
    }
  }

  /** Those that are there, in the order of the configuration. */
  #nodeStatuses(): NodeStatus[] {
    return this.config.nodes.flatMap(({ name, addresses }) => {
      const init = this.namespaces.get(name)?.init
      return init === undefined ? [] : [{ name, init, addresses, isReady: this.readyNodes.has(name) }]
    })
  }
}
