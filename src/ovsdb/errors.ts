import { TwinlaneError } from '../base/errors.ts'

/** The connection to a database server failed, ended, or is not there. Whether a pending transaction was committed is unknown. */
export class OvsdbConnectionError extends TwinlaneError {}

/** The server refused a request. `error` is the server's own short name, e.g. `constraint violation`. */
export class OvsdbError extends TwinlaneError {
  readonly error: string
  readonly details: string | undefined
  /** What failed: `insert into Logical_Switch_Port`, `commit`, `get_schema` … */
  readonly operation: string

  constructor(operation: string, error: string, details?: string) {
    super(`${operation}: ${error}${details === undefined ? '' : `: ${details}`}`)
    this.operation = operation
    this.error = error
    this.details = details
  }
}
