/**
 * Turns the compiler's output into progress: a line that announces `compile hyperkube (N packages)`, then one a
 * package. Other lines pass through. Pure but for its own count.
 */
export function makeCompileProgress(report: (line: string) => void): (line: string) => void {
  let total = 0;
  let done = 0;
  return (line) => {
    const announced = /^step: (.+?) \((\d+) packages\)$/.exec(line);
    if (announced) {
      total = Number(announced[2]);
      report(`${announced[1]}`);
    } else if (line.startsWith('step: ')) {
      report(line.slice('step: '.length));
    } else if (total > 0 && /^[\w.-]+(\/[\w.~-]+)*$/.test(line)) {
      done = Math.min(done + 1, total);
      report(`compile: ${done} of ${total} packages (${Math.floor((done / total) * 100)} %)`);
    }
  };
}
