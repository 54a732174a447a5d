// The balls that reach from each point to its k-th neighbor, and the share of them that draws find.

export const distance = (a, b) => Math.sqrt((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2); // Math.hypot is many times slower

// To the k-th nearest neighbor in the own set; the nearest in the sorted row is the point itself.
export const radii = (points, k) => points.map((p) => Float64Array.from(points, (q) => distance(p, q)).sort()[k]);

// As pcltut.evaluation.density_coverage: which balls hold a draw. A draw on the rim of a ball is outside.
export const covered = (points, reach, draws) => points.map((p, i) => draws.some((q) => distance(p, q) < reach[i]));

export function perfectCoverage(n, m, k) {
  // The mean share of n balls that m draws from the points' own law find.
  let empty = 1;
  for (let i = 1; i <= k; i++) empty *= (n - i) / (n + m - i);
  return 1 - empty;
}
