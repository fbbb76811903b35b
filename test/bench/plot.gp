# What checks cost, as bars.  A line of plotted is a heading, or a name, thousands of instructions
# and whose it is.
set terminal svg enhanced size 800,520 font 'Helvetica,Arial,sans-serif,14' background '#ffffff'
set output plot
set datafile separator '\t'
set style fill solid noborder
set label 1 '{/:Bold=19 What a check adds to a row}' at screen 0.025,0.95 left
set label 2 server.'. Shorter bars are cheaper; portpin''s are green.' at screen 0.025,0.895 left
set label 3 '¹ It counts no wrong PINs, and does not see orders that name a partition.' at screen 0.025,0.035 left font ',12'
set border 0
set grid xtics lc '#d0d7de' lw 1 dt solid
set tics scale 0
set xlabel 'thousand CPU instructions a row' offset 0,0.3
unset ytics
unset key
set lmargin 43
set rmargin 5
set tmargin 4
set bmargin 5
set yrange [14.7:-0.7]
set xrange [0:*]
colour(owner) = owner eq 'portpin' ? 0x2da44e : 0x8c959f
plot results using 3:0:(0):3:($0 - 0.38):($0 + 0.38):(colour(strcol(4))) with boxxyerror lc rgb variable, \
     '' using (0):0:2 with labels right offset -1,0 noenhanced, \
     '' using 3:0:(strcol(4) eq '' ? '' : sprintf('%.1f', $3)) with labels left offset 0.6,0, \
     '' using (0):0:(strcol(1) eq '' ? '' : '{/:Bold '.strcol(1).'}') with labels left offset -40.75,0
