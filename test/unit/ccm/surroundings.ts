import type { Logger } from '../../../daemon/logger.ts';
import type { EventRecorder } from '../../../kube/events.ts';

/** Keeps what was logged, for the few tests in which the log is the result. */
export class Log implements Logger {
  readonly lines: string[] = [];
  info(message: string): void {
    this.lines.push(message);
  }
  warn(message: string): void {
    this.lines.push(message);
  }
  error(message: string): void {
    this.lines.push(message);
  }
  debug(_: number, message: string): void {
    this.lines.push(message);
  }
}

/** Events as `kubectl describe` shows them: `Warning Reason: text`. */
export class Events implements Pick<EventRecorder, 'event'> {
  readonly lines: string[] = [];

  event(_: unknown, type: string, reason: string, message: string): void {
    this.lines.push(`${type} ${reason}: ${message}`);
  }

  /** What came since the last call. */
  take(): string[] {
    return this.lines.splice(0);
  }
}
