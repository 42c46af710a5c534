// Loaded into a service by `--import`: on SIGUSR2 the wall clock of that process jumps, an hour ahead, back, an hour behind, back.
// What measures time without it (timers, performance.now) goes on as it does when a machine's clock is set.
const HOUR_MS = 3_600_000;
const SHIFTS = [0, HOUR_MS, 0, -HOUR_MS];

const Wall = globalThis.Date;
let turn = 0;
const nowMs = (): number => Wall.now() + (SHIFTS[turn % SHIFTS.length] ?? 0);

globalThis.Date = new Proxy(Wall, {
  construct: (target, given: [], asked: NewableFunction) =>
    Reflect.construct(target, given.length === 0 ? [nowMs()] : given, asked) as Date,
  get: (target, key) => (key === "now" ? nowMs : (Reflect.get(target, key) as unknown)),
});
process.on("SIGUSR2", () => void (turn += 1));
