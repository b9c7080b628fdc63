@echo off
setlocal
rem Training runs beside each other: last figures and curves. --help tells more.
call "%~dp0environment.bat" report
if errorlevel 1 exit /b 1
"%TRANSCENDENCE_PYTHON%" -I -m training.evaluation.curves %*
