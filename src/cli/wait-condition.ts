import type { KubeObject } from '../kube/resources/meta.ts'
import { UsageError } from './io.ts'
import { parseJsonPath, showValues } from './json-path.ts'

/** What `wait --for` waits for. */
export interface WaitCondition {
  /** Completes "waiting for pod/x …". */
  readonly what: string
  readonly isDeletion: boolean
  readonly isCreation: boolean
  isMet(object: KubeObject | undefined): boolean
  /** What the object says about why not, for the message at the deadline. */
  explain(object: KubeObject | undefined): string | undefined
}

interface Conditioned extends KubeObject {
  status?: { conditions?: { type: string; status: string; reason?: string; message?: string }[] }
}

/** Reads `condition=Ready[=False]`, `jsonpath={.status.phase}[=Running]`, `create`, `delete`. Throws UsageError. */
export function parseCondition(text: string): WaitCondition {
  if (text === 'delete') return existence('to be gone', (object) => object === undefined, { isDeletion: true })
  if (text === 'create') return existence('to be created', (object) => object !== undefined, { isCreation: true })
  const [, form, rest] = /^(condition|jsonpath)=(.+)$/s.exec(text) ?? []
  if (form === 'condition' && rest !== undefined) return conditionIs(rest)
  if (form === 'jsonpath' && rest !== undefined) return valueIs(rest)
  throw new UsageError(`--for=${text}: is not understood`, {
    fix: 'write condition=NAME, jsonpath={.path}=VALUE, create or delete',
  })
}

function existence(
  what: string,
  isMet: (object: KubeObject | undefined) => boolean,
  flags: { isDeletion?: boolean; isCreation?: boolean },
): WaitCondition {
  return { what, isMet, isDeletion: false, isCreation: false, explain: () => undefined, ...flags }
}

function conditionIs(text: string): WaitCondition {
  const [name = '', wanted = 'True'] = text.split('=')
  const find = (object: KubeObject | undefined) =>
    (object as Conditioned | undefined)?.status?.conditions?.find(
      ({ type }) => type.toLowerCase() === name.toLowerCase(),
    )
  return {
    ...existence(`to have the condition ${name}=${wanted}`, (object) => isSame(find(object)?.status, wanted), {}),
    explain(object) {
      const found = find(object)
      if (found === undefined) return `it has no condition ${name}`
      const { status, reason, message } = found
      return [`${name}=${status}`, reason, message].filter((part) => part !== undefined && part !== '').join(', ')
    },
  }
}

function valueIs(text: string): WaitCondition {
  const [, path = text, wanted] = /^(\{.*\}|[^=]+)(?:=(.*))?$/s.exec(text) ?? []
  const look = parseJsonPath(path)
  const isMet = (object: KubeObject | undefined): boolean => {
    const values = look(object)
    return wanted === undefined ? values.length > 0 : values.length > 0 && showValues(values) === wanted
  }
  return {
    ...existence(`to have ${path}${wanted === undefined ? '' : ` = ${wanted}`}`, isMet, {}),
    explain: (object) => `${path} is ${showValues(look(object)) || 'not there'}`,
  }
}

function isSame(actual: string | undefined, wanted: string): boolean {
  return actual?.toLowerCase() === wanted.toLowerCase()
}
