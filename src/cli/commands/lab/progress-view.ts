import type { LabStatus, StepStatus } from '../../../lab/status.ts'
import type { CliIo } from '../../io.ts'

/** Shows what a lab is doing and for how long, on standard error. */
export interface ProgressView {
  show(status: LabStatus): void
  close(): void
  elapsedMs(): number
}

/** A line a finished step and, on a terminal, one below that says what is waited for just now. */
export function createProgressView(io: Pick<CliIo, 'stderr'>): ProgressView {
  const startedAt = Date.now()
  const isTerminal = io.stderr.isTTY === true
  const told = new Set<string>()
  let running: readonly StepStatus[] = []
  const erase = (): void => void (isTerminal && io.stderr.write('\r\x1b[K'))
  const drawLast = (): void => {
    if (!isTerminal || running.length === 0) return
    io.stderr.write(`\r\x1b[K${elapsed(startedAt)}  … ${running.map(describeRunning).join(', ')}`.slice(0, columns(io)))
  }
  const say = (key: string, text: string): void => {
    if (told.has(key)) return
    told.add(key)
    erase()
    io.stderr.write(`${elapsed(startedAt)}  ${text}\n`)
  }
  const timer = isTerminal ? setInterval(drawLast, 200) : undefined
  return {
    show: (status) => {
      for (const step of status.steps) tell(step, isTerminal, say)
      running = status.steps.filter((step) => step.state === 'running')
      drawLast()
    },
    close: () => {
      clearInterval(timer)
      erase()
    },
    elapsedMs: () => Date.now() - startedAt,
  }
}

function tell(step: StepStatus, isTerminal: boolean, say: (key: string, text: string) => void): void {
  const key = `${step.what}/${step.startedAt}`
  if (step.state === 'running') {
    if (!isTerminal) say(`${key}/${step.waitingFor ?? ''}`, `… ${describeRunning(step)}`)
    return
  }
  const seconds = (((step.endedAt ?? Date.now()) - step.startedAt) / 1000).toFixed(1)
  say(`${key}/${step.state}`, `${step.state === 'done' ? '✓' : '✗'} ${step.what} (${seconds} s)`)
}

function describeRunning(step: StepStatus): string {
  return step.waitingFor === undefined ? step.what : `${step.what}: waiting for ${step.waitingFor}`
}

function elapsed(startedAt: number): string {
  return `${((Date.now() - startedAt) / 1000).toFixed(1).padStart(5)} s`
}

function columns(io: Pick<CliIo, 'stderr'>): number {
  return (io.stderr.columns ?? 80) + '\r\x1b[K'.length - 1
}
