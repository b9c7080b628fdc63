@echo off
setlocal
rem A trained run judged on held-out games. --help tells more.
call "%~dp0environment.bat" train
if errorlevel 1 exit /b 1
"%TRANSCENDENCE_PYTHON%" -I -m training.evaluation %*
