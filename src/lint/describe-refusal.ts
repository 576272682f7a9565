import { TwinlaneError } from '../base/errors.ts'

/** The message of an error and of the errors of ours behind it; what a library says is left out. */
export function describeRefusal(error: TwinlaneError): string {
  const { cause } = error
  return cause instanceof TwinlaneError && !error.message.includes(cause.message)
    ? `${error.message}: ${describeRefusal(cause)}`
    : error.message
}
